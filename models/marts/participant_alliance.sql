-- The alliance score is the sum of all answered items over a participant's ratings divided once by their number, so that equal scores tie exactly.
with

facts as (

    select * from {{ ref('participant_facts') }}

),

final as (

    select
        participant_id,
        {{ alliance_columns() }}
    from facts
    where rated_sessions > 0

)

select * from final
