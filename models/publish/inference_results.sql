-- Every test, contrast and coefficient of the study.
select * from {{ ref('candidate_inference_results') }}
