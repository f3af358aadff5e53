-- The participants whom the study analyses.
select * from {{ ref('candidate_analysis_cohort') }}
