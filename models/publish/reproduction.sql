-- Every printed figure of the study beside ours.
select * from {{ ref('candidate_reproduction') }}
