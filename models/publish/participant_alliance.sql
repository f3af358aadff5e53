-- Every rating participant's alliance with their providers.
select * from {{ ref('candidate_participant_alliance') }}
