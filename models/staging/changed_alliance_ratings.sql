-- The current rows of `alliance_ratings` on which a verdict may have changed: those of sessions that were delivered, superseded or withdrawn, of all sessions of touched participants, and of no session.
{{ config(materialized='table') }}
with

ratings as (

    select * from {{ ref('stg_alliance_ratings') }}

),

sessions as (

    select * from {{ ref('stg_sessions') }}

),

touched as (

    select * from {{ ref('touched_participants') }}

),

touched_sessions as (

    select sessions.session_id from sessions
    inner join touched on sessions.participant_id = touched.participant_id
    where sessions.session_id is not null
    union
    select session_id from {{ state_table('touched_participants') }}
    where session_id is not null

),

final as (

    select ratings.* from ratings
    where
        ratings.session_id is null
        or ratings.session_id in (select touched_sessions.session_id from touched_sessions)

)

select * from final
