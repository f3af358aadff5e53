-- A participant is touched when a row of theirs was delivered, superseded or withdrawn since their facts were last computed.
-- depends_on: {{ ref('delivered_participants') }}, {{ ref('delivered_who5_assessments') }}, {{ ref('delivered_alliance_ratings') }}
{{ config(materialized='table') }}
with

touched as (

    select * from {{ state_table('touched_participants') }}

),

sessions as (

    select * from {{ ref('delivered_sessions') }}

),

final as (

    select participant_id from touched
    where participant_id is not null
    union
    select sessions.participant_id
    from sessions
    inner join touched on sessions.session_id = touched.session_id
    where sessions.participant_id is not null

)

select * from final
