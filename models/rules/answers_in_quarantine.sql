-- A row in quarantine could answer a criterion when the participant would pass it with that row; a value that breaks a rule of its own is given the benefit of the doubt.
-- depends_on: {{ ref('stg_sessions') }}, {{ ref('care') }}, {{ ref('baseline_and_followup') }}, {{ ref('current_alliance_ratings') }}
{%- set criteria = eligibility_criteria() | selectattr('waits_for') | list %}
with
{%- if var('on_bad_rows') == 'stop' %}

-- A broken rule stops the build, so nothing waits.
final as (

    select
        participant_id,
        cast(null as {{ dbt.type_string() }}) as criterion
    from {{ ref('quarantined_rows') }}
    where false

)

select * from final
{%- else %}

waiting as (

    select * from {{ ref('quarantined_rows') }}

),

current_sessions as (

    select * from {{ ref('current_sessions') }}

),

current_assessments as (

    select * from {{ ref('current_who5_assessments') }}

),

current_ratings as (

    select * from {{ ref('current_alliance_ratings') }}

),

quarantined_sessions as (

    select distinct
        current_sessions.session_id,
        current_sessions.participant_id
    from current_sessions
    inner join waiting
        on current_sessions.part_file = waiting.part_file and current_sessions.row_number = waiting.row_number
    where
        waiting.table_name = 'sessions'
        and coalesce(status not in ('cancelled', 'no_show'), true)
        and coalesce(
            {{ utc_date('started_at') }} between date '{{ var("study_start") }}' and date '{{ var("study_end") }}', true
        )

),

quarantined_assessments as (

    select
        current_assessments.participant_id,
        current_assessments.completed_at
    from current_assessments
    inner join waiting
        on current_assessments.part_file = waiting.part_file and current_assessments.row_number = waiting.row_number
    where
        waiting.table_name = 'who5_assessments'
        and (
            current_assessments.{{ outcome()['items'] | join(' + current_assessments.') }} is not null
            or current_assessments.unreadable is not null
        )

),

quarantined_ratings as (

    select current_ratings.session_id
    from current_ratings
    inner join waiting
        on current_ratings.part_file = waiting.part_file and current_ratings.row_number = waiting.row_number
    where
        waiting.table_name = 'alliance_ratings'
        and (
            current_ratings.bond_item is not null
            or current_ratings.goals_item is not null
            or current_ratings.unreadable is not null
        )

),

study_sessions as (

    {{ study_sessions() }}

),

care as (

    select * from {{ ref('care') }}

),

baselines as (

    select * from {{ ref('baseline_and_followup') }}

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

session_counts as (

    select
        possible_sessions.participant_id,
        count(distinct possible_sessions.session_id) as total_sessions
    from possible_sessions
    where possible_sessions.participant_id in (select quarantined_sessions.participant_id from quarantined_sessions)
    group by possible_sessions.participant_id

),

baseline as (

    select care.participant_id
    from quarantined_assessments as assessments
    inner join care on assessments.participant_id = care.participant_id
    where assessments.completed_at is null or assessments.completed_at < care.first_session_at

),

followup as (

    select care.participant_id
    from quarantined_assessments as assessments
    inner join care on assessments.participant_id = care.participant_id
    inner join baselines on assessments.participant_id = baselines.participant_id
    where
        assessments.completed_at is null
        or (
            assessments.completed_at > care.last_session_at
            and {{ utc_date('assessments.completed_at') }} <= date '{{ var("study_end") }}'
            and {{ dbt.datediff(utc_date('baselines.baseline_at'), utc_date('assessments.completed_at'), 'day') }}
            >= {{ value_of(outcome(), 'followup_days') }}
        )

),

ratings as (

    select possible_sessions.participant_id
    from quarantined_ratings
    inner join possible_sessions on quarantined_ratings.session_id = possible_sessions.session_id

),

answers as (
    {% for criterion in criteria %}
    select
        participant_id,
        '{{ criterion.name }}' as criterion
    {%- if criterion.waits_for == 'sessions' %}
    from session_counts
    where {{ criterion.condition }}
    {%- else %}
    from {{ criterion.waits_for }}
    {%- endif %}
    {% if not loop.last %}union{% endif %}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as participant_id,
        cast(null as {{ dbt.type_string() }}) as criterion
    {%- endfor %}

),

final as (

    select
        participant_id,
        criterion
    from answers
    where participant_id is not null

)

select * from final
{%- endif %}
