-- How many participants each criterion left in.
select * from {{ ref('candidate_eligibility_flow') }}
