-- Every measured participant's well-being before and after care.
select * from {{ ref('candidate_who5_change') }}
