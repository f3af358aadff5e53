-- Sums and products by main provider: of the alliance in the cohort, and of all variables in the sample of the regressions, with the mean alliance of either.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select
        *,
        screened_positive and predictors_known as in_sample
    from {{ ref('sensitivity_rows') }}

),

summed as (

    select
        main_provider,
        count(*) as cohort_n,
        {{ wide_sum('alliance_mean') }} as cohort_alliance,
        {{ wide_sum(wide_product('alliance_mean', 'alliance_mean')) }} as cohort_alliance_squares,
        count(case when in_sample then 1 end) as n,
        {{ sums_with_variants(model_variables(), ['alliance_mean'], 'in_sample', as_text=false) }}
    from cohort
    group by main_provider

),

final as (

    select
        *,
        cast(round({{ wide_to_double('cohort_alliance') }} / cohort_n) as bigint) as cohort_provider_mean,
        cast(round({{ wide_to_double('alliance_mean') }} / nullif(n, 0)) as bigint) as provider_mean
    from summed

)

select * from final
