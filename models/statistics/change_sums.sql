-- Counts, sums, squares and products of WHO-5 at baseline and follow-up among those who screened positive: all that the t test, the analysis of variance and the effect sizes need to know of them.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select * from {{ ref('analysis_cohort') }}

),

screened_positive as (

    select
        utilization_type,
        cast(baseline_score as bigint) as baseline_score,
        cast(followup_score as bigint) as followup_score,
        clinical_recovery,
        clinical_improvement
    from cohort
    where screened_positive

),

final as (

    select
        utilization_type,
        {{ sums_of_change() }}
    from screened_positive
    group by utilization_type

)

select * from final
