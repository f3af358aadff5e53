-- A rating counts when it rates a session of the study and at least one of its two items is answered.
-- depends_on: {{ ref('gate_raw') }}
with

ratings as (

    select * from {{ ref('accepted_alliance_ratings') }}

),

sessions as (

    select * from {{ ref('study_sessions') }}

),

final as (

    select
        ratings.rating_id,
        ratings.session_id,
        sessions.participant_id,
        ratings.bond_item,
        ratings.goals_item
    from ratings
    inner join sessions on ratings.session_id = sessions.session_id
    where ratings.bond_item is not null or ratings.goals_item is not null

)

select * from final
