-- Sums and products of the variables of the model of alliance and well-being by every choice that a sensitivity analysis varies: cut-off, days to the follow-up, and whether sex is known; each with the alliance of all, the first, the last and the first three rated sessions.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select
        *,
        case when baseline_score <= 28 then 28 when baseline_score <= 50 then 50 end as cutoff,
        case
            when follow_up_days >= 28 then 28
            when follow_up_days >= 14 then 14
            when follow_up_days >= 7 then 7
            else 0
        end as min_days
    from {{ ref('sensitivity_rows') }}

),

final as (

    select
        screened_positive,
        cutoff,
        min_days,
        sex,
        cast({{ alliance_unit() }} as bigint) as unit,
        count(*) as n,
        {{ sums_with_variants(model_variables(), alliance_variants()) }}
    from cohort
    where screened_positive or cutoff is not null
    group by screened_positive, cutoff, min_days, sex

)

select * from final
