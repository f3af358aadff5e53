-- What the printed figures of the study say about each other.
select * from {{ ref('printed_consistency') }}
