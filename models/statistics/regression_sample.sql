-- The regressions take everyone who screened positive and whose sex is reported, with sex and utilization type as dummy variables (female and teletherapy are the references).
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select * from {{ ref('candidate_analysis_cohort') }}

),

final as (

    select
        cast(followup_score as double) as followup_score,
        cast(baseline_score as double) as baseline_score,
        cast(age_years as double) as age_years,
        cast(time_in_care_days as double) as time_in_care,
        cast(total_sessions as double) as total_sessions,
        alliance_score as alliance,
        cast(sex = 'male' as double) as male,
        cast(utilization_type = 'telecoaching' as double) as telecoaching,
        cast(utilization_type = 'both' as double) as both_types
    from cohort
    where screened_positive and sex is not null

)

select * from final
