-- How often each pair of WHO-5 scores occurs in the cohort, by utilization type: all that regression to the mean, reliable change and the comparisons of changes need to know of it.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select * from {{ ref('analysis_cohort') }}

),

final as (

    select
        utilization_type,
        screened_positive,
        clinical_recovery,
        cast(baseline_score as bigint) as baseline_score,
        cast(followup_score as bigint) as followup_score,
        count(*) as participants
    from cohort
    group by utilization_type, screened_positive, clinical_recovery, baseline_score, followup_score

)

select * from final
