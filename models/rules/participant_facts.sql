-- What the criteria ask of a participant, gathered once: account, care, baseline, follow-up and ratings, each null where there is none.
-- depends_on: {{ ref('gate_raw') }}
{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key='participant_id',
    post_hook=['{{ remember_definitions() }}', '{{ forget_touched() }}']
) }}
with

participants as (

    select * from {{ ref('accepted_participants') }}
    {{ touched_only() }}

),

care as (

    select * from {{ ref('care_summary') }}

),

baselines as (

    select * from {{ ref('baseline_assessments') }}

),

followups as (

    select * from {{ ref('followup_assessments') }}

),

alliance as (

    select * from {{ ref('alliance_scores') }}

),

final as (

    select
        participants.participant_id,
        participants.registered_at,
        participants.age_years,
        participants.sex,
        participants.country_code = '{{ var("home_country") }}' as within_usa,
        participants.employer_sponsored,
        care.utilization_type,
        care.total_sessions,
        care.time_in_care_days,
        baselines.baseline_score,
        followups.followup_score,
        followups.follow_up_days,
        alliance.rated_sessions
    from participants
    left join care on participants.participant_id = care.participant_id
    left join baselines on participants.participant_id = baselines.participant_id
    left join followups on participants.participant_id = followups.participant_id
    left join alliance on participants.participant_id = alliance.participant_id

)

select * from final
