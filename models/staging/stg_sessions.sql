-- Of the deliveries of one session, the row with the latest `loaded_at` stands.
with

deliveries as (

    select * from {{ ref('delivered_sessions') }}

),

final as (

    select
        session_id,
        participant_id,
        provider_id,
        provider_type,
        started_at,
        status,
        duration_minutes,
        loaded_at
    from deliveries
    where standing = 'current'

)

select * from final
