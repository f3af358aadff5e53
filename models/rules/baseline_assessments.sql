-- The baseline is the latest scored assessment completed strictly before the participant's first session; of several at one moment, the one with the smallest id.
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

before_care as (

    select
        scores.participant_id,
        scores.assessment_id,
        scores.completed_at,
        scores.who5_score,
        row_number() over (
            partition by scores.participant_id
            order by scores.completed_at desc, scores.assessment_id asc
        ) as recency
    from scores
    inner join care on scores.participant_id = care.participant_id
    where scores.completed_at < care.first_session_at

),

final as (

    select
        participant_id,
        assessment_id as baseline_assessment_id,
        completed_at as baseline_at,
        who5_score as baseline_score
    from before_care
    where recency = 1

)

select * from final
