-- marts.analysis_cohort as the warehouse has published it; never run.
select * from published.marts.analysis_cohort
