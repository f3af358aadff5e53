-- The sessions of the cohort are numbered per participant in the order in which they began, and each has the answers that it was rated with.
{#- Sessions are numbered once their ratings are beside them, so that one ordering of the rows does for all numbers. -#}
{%- set in_time = 'partition by participant_id order by started_at, session_id' %}
with

judged as (

    {{ judged_participants() }}

),

participants as (

    select
        participant_id,
        rated_sessions
    from judged
    where is_eligible

),

sessions as (

    {{ study_sessions(['provider_id']) }}

),

answered as (

    select * from {{ ref('stg_alliance_ratings') }}
    where bond_item is not null or goals_item is not null

),

of_cohort as (

    select
        sessions.participant_id,
        sessions.session_id,
        sessions.provider_id,
        sessions.provider_type,
        sessions.started_at,
        participants.rated_sessions
    from sessions
    inner join participants on sessions.participant_id = participants.participant_id

),

with_answers as (

    select
        of_cohort.*,
        answered.session_id is null as is_unrated,
        answered.bond_item,
        answered.goals_item
    from of_cohort
    left join answered on of_cohort.session_id = answered.session_id

),

final as (

    select
        participant_id,
        provider_id,
        provider_type,
        started_at,
        -- The rows of a session are of one rank; the first of them, whichever that is, counts as the session.
        case when row_number() over ({{ in_time }}) = rank() over ({{ in_time }}) then 1 else 0 end as sessions,
        dense_rank() over ({{ in_time }}) as session_number,
        dense_rank() over ({{ in_time }})
        - count(case when is_unrated then 1 end)
            over ({{ in_time }} rows between unbounded preceding and current row)
            as rated_number,
        rated_sessions,
        case when is_unrated then 0 else 1 end as ratings,
        coalesce(bond_item, 0) + coalesce(goals_item, 0) as item_sum,
        case when bond_item is null then 0 else 1 end
        + case when goals_item is null then 0 else 1 end as item_responses,
        case when bond_item is null or goals_item is null then 0 else 1 end as paired_ratings,
        case when bond_item = 5 and goals_item = 5 then 1 else 0 end as top_ratings
    from with_answers

)

select * from final
