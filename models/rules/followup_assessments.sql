-- The follow-up is the latest scored assessment completed strictly after the last session, dated no later than the study's end and at least seven days after the baseline; of several at one moment, the one with the smallest id.
{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key='participant_id',
    post_hook='{{ remember_definitions() }}'
) }}
with

scores as (

    select * from {{ ref('who5_scores') }}
    {{ touched_only() }}

),

care as (

    select * from {{ ref('care_summary') }}

),

baselines as (

    select * from {{ ref('baseline_assessments') }}

),

after_care as (

    select
        scores.participant_id,
        scores.assessment_id,
        scores.completed_at,
        scores.who5_score,
        {{ days_between(utc_date('baselines.baseline_at'), utc_date('scores.completed_at')) }} as follow_up_days,
        row_number() over (
            partition by scores.participant_id
            order by scores.completed_at desc, scores.assessment_id asc
        ) as recency
    from scores
    inner join care on scores.participant_id = care.participant_id
    inner join baselines on scores.participant_id = baselines.participant_id
    where
        scores.completed_at > care.last_session_at
        and {{ utc_date('scores.completed_at') }} <= date '{{ var("study_end") }}'
        and {{ days_between(utc_date('baselines.baseline_at'), utc_date('scores.completed_at')) }}
        >= {{ var('min_followup_days') }}

),

final as (

    select
        participant_id,
        assessment_id as followup_assessment_id,
        completed_at as followup_at,
        who5_score as followup_score,
        follow_up_days
    from after_care
    where recency = 1

)

select * from final
