-- The baseline is the latest scored assessment strictly before the first session; the follow-up the latest strictly after the last session, no later than the study's end and at least seven days after the baseline; of several at one moment the smallest id counts.
with

scores as (

    select * from {{ ref('who5_scores') }}

),

care as (

    select * from {{ ref('care') }}

),

around_care as (

    select
        scores.participant_id,
        scores.completed_at,
        scores.who5_score,
        scores.completed_at < care.first_session_at as is_before,
        {{ latest_first('scores.completed_at', 'scores.assessment_id') }} as latest_first
    from scores
    inner join care on scores.participant_id = care.participant_id
    where
        scores.completed_at < care.first_session_at
        or (
            scores.completed_at > care.last_session_at
            and {{ utc_date('scores.completed_at') }} <= date '{{ var("study_end") }}'
        )

),

-- The latest assessment after care is the farthest from the baseline: if it comes too soon, so do all others.
latest as (

    select
        participant_id,
        {%- for name, condition in {'baseline': 'is_before', 'followup': 'not is_before'}.items() %}
        min_by(who5_score, latest_first) filter (where {{ condition }}) as {{ name }}_score,
        max(case when {{ condition }} then completed_at end) as {{ name }}_at
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from around_care
    group by participant_id

),

dated as (

    select
        *,
        {{ utc_date('baseline_at') }} as baseline_on,
        {{ utc_date('followup_at') }} as followup_on
    from latest
    where baseline_at is not null

),

counted as (

    select
        *,
        {{ dbt.datediff('baseline_on', 'followup_on', 'day') }} as days  -- noqa: LT05
    from dated

),

final as (

    select
        participant_id,
        baseline_at,
        baseline_score,
        case when days >= {{ value_of(outcome(), 'followup_days') }} then followup_score end as followup_score,
        case when days >= {{ value_of(outcome(), 'followup_days') }} then days end as follow_up_days
    from counted

)

select * from final
