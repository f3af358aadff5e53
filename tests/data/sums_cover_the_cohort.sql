-- Sums lose nobody and nothing: change and products add up to those of the cohort's own rows.
{%- set first = study().numbers[0] %}
with

cohort as (

    select
        count(*) as n,
        coalesce(sum(who5_change), 0) as change,
        coalesce(sum(case when clinical_recovery then 1 else 0 end), 0) as recovered
    from {{ ref('analysis_cohort') }}
    where screened_positive

),

sample as (

    select
        count(*) as n,
        coalesce(sum(({{ first.sql }}) * followup_score), 0) as product
    from {{ ref('analysis_cohort') }}
    where
        screened_positive
        {%- for predictor in study().factors + study().numbers %}
        and ({{ predictor.sql }}) is not null
        {%- endfor %}

),

change_sums as (

    select
        coalesce(sum(n), 0) as n,
        coalesce(sum(followup - baseline), 0) as change,
        coalesce(sum(recovered), 0) as recovered
    from {{ ref('change_sums') }}

),

regression_sums as (

    select
        coalesce(sum(n), 0) as n,
        coalesce(sum({{ first.name }}_x_followup_score), 0) as product
    from {{ ref('regression_sums') }}

)

select
    cohort.n,
    change_sums.n as summed
from cohort
cross join sample
cross join change_sums
cross join regression_sums
where
    cohort.n <> change_sums.n
    or cohort.change <> change_sums.change
    or cohort.recovered <> change_sums.recovered
    or sample.n <> regression_sums.n
    or sample.product <> regression_sums.product
