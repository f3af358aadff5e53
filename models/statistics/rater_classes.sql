-- Who passes every criterion but the rating, screened positive and reported their sex, counted by the classes by which the chance to have rated is estimated, with the sums and products of the raters of each class.
-- depends_on: {{ ref('gate_candidates') }}
{%- set criteria = eligibility_criteria() | rejectattr('name', 'equalto', 'rating') | map(attribute='flag') | list %}
with

judged as (

    {{ judged_participants() }}

),

facts as (

    select
        {{ rater_class() }} as rater_class,
        is_eligible as has_rated,
        cast(age_years as bigint) as age_years,
        case when sex = 'male' then cast(1 as bigint) else cast(0 as bigint) end as male,
        cast(time_in_care_days as bigint) as time_in_care,
        cast(baseline_score as bigint) as baseline_score,
        cast(followup_score as bigint) as followup_score,
        {{ alliance_in_units('(bond_sum + goals_sum)', '(bond_responses + goals_responses)') }} as alliance_mean
    from judged
    where {{ criteria | join(' and ') }} and {{ is_positive(outcome(), 'baseline_score') }} and sex is not null

),

final as (

    select
        rater_class,
        cast({{ alliance_unit() }} as bigint) as unit,
        count(*) as members,
        count(case when has_rated then 1 end) as n,
        {{ sums_with_variants(model_variables(), ['alliance_mean'], 'has_rated') }}
    from facts
    group by rater_class

)

select * from final
