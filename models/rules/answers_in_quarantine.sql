-- A row in quarantine could answer a criterion when the participant would pass it with that row; a value that breaks a rule of its own is given the benefit of the doubt.
with

quarantined_sessions as (

    select distinct
        session_id,
        participant_id
    from {{ ref('quarantined_sessions') }}
    where
        coalesce(status not in ('cancelled', 'no_show'), true)
        and coalesce(
            {{ utc_date('started_at') }} between date '{{ var("study_start") }}' and date '{{ var("study_end") }}', true
        )

),

quarantined_assessments as (

    select
        participant_id,
        completed_at
    from {{ ref('quarantined_who5_assessments') }}
    where
        item_1 is not null
        and item_2 is not null
        and item_3 is not null
        and item_4 is not null
        and item_5 is not null

),

quarantined_ratings as (

    select session_id from {{ ref('quarantined_alliance_ratings') }}
    where bond_item is not null or goals_item is not null

),

study_sessions as (

    select * from {{ ref('study_sessions') }}

),

care as (

    select * from {{ ref('care_summary') }}

),

baselines as (

    select * from {{ ref('baseline_assessments') }}

),

-- Only sessions that may count beside a row in quarantine. A second row of a key may be in use, so each is named once.
possible_sessions as (

    select
        study_sessions.session_id,
        study_sessions.participant_id
    from study_sessions
    where study_sessions.participant_id in (select quarantined_sessions.participant_id from quarantined_sessions)
    union
    select
        study_sessions.session_id,
        study_sessions.participant_id
    from study_sessions
    where study_sessions.session_id in (select quarantined_ratings.session_id from quarantined_ratings)
    union
    select * from quarantined_sessions

),

sessions as (

    select
        possible_sessions.participant_id,
        'session' as criterion
    from possible_sessions
    where possible_sessions.participant_id in (select quarantined_sessions.participant_id from quarantined_sessions)
    group by possible_sessions.participant_id
    having count(distinct possible_sessions.session_id) >= {{ var('min_sessions') }}

),

baseline as (

    select
        care.participant_id,
        'baseline' as criterion
    from quarantined_assessments as assessments
    inner join care on assessments.participant_id = care.participant_id
    where assessments.completed_at is null or assessments.completed_at < care.first_session_at

),

followup as (

    select
        care.participant_id,
        'followup' as criterion
    from quarantined_assessments as assessments
    inner join care on assessments.participant_id = care.participant_id
    inner join baselines on assessments.participant_id = baselines.participant_id
    where
        assessments.completed_at is null
        or (
            assessments.completed_at > care.last_session_at
            and {{ utc_date('assessments.completed_at') }} <= date '{{ var("study_end") }}'
            and {{ days_between(utc_date('baselines.baseline_at'), utc_date('assessments.completed_at')) }}
            >= {{ var('min_followup_days') }}
        )

),

rating as (

    select
        possible_sessions.participant_id,
        'rating' as criterion
    from quarantined_ratings
    inner join possible_sessions on quarantined_ratings.session_id = possible_sessions.session_id

),

answers as (

    select * from sessions
    union
    select * from baseline
    union
    select * from followup
    union
    select * from rating

),

final as (

    select
        participant_id,
        criterion
    from answers
    where participant_id is not null

)

select * from final
