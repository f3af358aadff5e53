-- For the moderations every continuous variable, the outcome too, becomes a z-score within the sample, and interactions are products of those; a variable that does not vary has no z-score.
with

regression_sample as (

    select * from {{ ref('regression_sample') }}

),

z_scores as (

    select
        {%- for variable in
            ['followup_score', 'baseline_score', 'age_years', 'time_in_care', 'total_sessions', 'alliance'] %}
        {{ z_score(variable) }} as {{ variable }},
        {%- endfor %}
        male,
        telecoaching,
        both_types
    from regression_sample

),

final as (

    select
        *,
        alliance * telecoaching as alliance_telecoaching,
        alliance * both_types as alliance_both,
        alliance * baseline_score as alliance_baseline_score,
        alliance * total_sessions as alliance_total_sessions
    from z_scores

)

select * from final
