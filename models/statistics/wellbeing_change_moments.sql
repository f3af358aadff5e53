-- Counts, means, variances and covariance of WHO-5 at baseline and follow-up among those who screened positive: all that the t test, the analysis of variance and the effect sizes need to know of them.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select * from {{ ref('candidate_analysis_cohort') }}

),

screened_positive as (

    select
        utilization_type,
        baseline_score,
        followup_score,
        who5_change,
        clinical_recovery,
        clinical_improvement
    from cohort
    where screened_positive

),

grouped as (

    select * from screened_positive
    union all
    select
        'total' as utilization_type,
        baseline_score,
        followup_score,
        who5_change,
        clinical_recovery,
        clinical_improvement
    from screened_positive

),

final as (

    select
        utilization_type,
        count(*) as n,
        avg(baseline_score) as baseline_mean,
        avg(followup_score) as followup_mean,
        avg(who5_change) as change_mean,
        var_samp(baseline_score) as baseline_variance,
        var_samp(followup_score) as followup_variance,
        var_samp(who5_change) as change_variance,
        covar_samp(baseline_score, followup_score) as covariance,
        count(case when clinical_recovery then 1 end) as recovered,
        count(case when clinical_improvement then 1 end) as improved
    from grouped
    group by utilization_type
    order by utilization_type

)

select * from final
