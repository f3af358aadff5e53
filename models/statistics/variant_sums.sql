-- Sums and products of the variables of the model of alliance and well-being by every choice that a sensitivity analysis varies: cut-off, days to the follow-up, and sex, among those who miss no other predictor; each with the alliance of all, the first, the last and the first three rated sessions.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select * from {{ ref('sensitivity_rows') }}
    where others_known

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
