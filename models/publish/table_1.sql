-- Characteristics of the cohort, by utilization type.
select * from {{ ref('candidate_table_1') }}
