-- The variance that each step of each regression explains.
select * from {{ ref('candidate_model_fit') }}
