-- A participant's care runs from the first to the last session, and is teletherapy, telecoaching or both by who gave it.
with

sessions as (

    {{ study_sessions() }}

),

care as (

    select
        participant_id,
        min(started_at) as first_session_at,
        max(started_at) as last_session_at,
        {{ utc_date('min(started_at)') }} as first_day,
        {{ utc_date('max(started_at)') }} as last_day,
        count(*) as total_sessions,
        count(case when provider_type = 'therapist' then 1 end) as therapist_sessions,
        count(case when provider_type = 'coach' then 1 end) as coach_sessions
    from sessions
    group by participant_id

),

final as (

    select
        participant_id,
        first_session_at,
        last_session_at,
        total_sessions,
        {{ dbt.datediff('first_day', 'last_day', 'day') }} as time_in_care_days,  -- noqa: LT05
        case
            when coach_sessions = 0 then 'teletherapy'
            when therapist_sessions = 0 then 'telecoaching'
            else 'both'
        end as utilization_type
    from care

)

select * from final
