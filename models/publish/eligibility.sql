-- Who takes part and who does not, with the first criterion that failed.
select * from {{ ref('candidate_eligibility') }}
