-- Change is follow-up minus baseline; a positive screen is a baseline at or below the cut-off, recovery a follow-up above it, improvement a rise of at least the set points.
with

facts as (

    select * from {{ ref('participant_facts') }}

),

final as (

    select
        participant_id,
        {{ change_columns(outcome(), 'who5_change') }}
    from facts
    where baseline_score is not null and followup_score is not null

)

select * from final
