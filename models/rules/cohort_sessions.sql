-- The sessions of the cohort are numbered per participant in the order in which they began, and each has the answers that it was rated with.
{%- set in_time = 'partition by of_cohort.participant_id order by of_cohort.started_at, of_cohort.session_id' %}
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

ratings as (

    select * from {{ ref('stg_alliance_ratings') }}

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

rated as (

    select
        ratings.session_id,
        count(*) as ratings,
        sum(coalesce(ratings.bond_item, 0) + coalesce(ratings.goals_item, 0)) as item_sum,
        count(ratings.bond_item) + count(ratings.goals_item) as item_responses,
        count(ratings.bond_item + ratings.goals_item) as paired_ratings,
        count(case when ratings.bond_item = 5 and ratings.goals_item = 5 then 1 end) as top_ratings
    from ratings
    inner join of_cohort on ratings.session_id = of_cohort.session_id
    where ratings.bond_item is not null or ratings.goals_item is not null
    group by ratings.session_id

),

final as (

    select
        of_cohort.participant_id,
        of_cohort.provider_id,
        of_cohort.provider_type,
        of_cohort.started_at,
        row_number() over ({{ in_time }}) as session_number,
        count(rated.ratings) over ({{ in_time }} rows between unbounded preceding and current row) as rated_number,
        of_cohort.rated_sessions,
        rated.ratings,
        cast(rated.item_sum as bigint) as item_sum,
        rated.item_responses,
        rated.paired_ratings,
        rated.top_ratings
    from of_cohort
    left join rated on of_cohort.session_id = rated.session_id

)

select * from final
