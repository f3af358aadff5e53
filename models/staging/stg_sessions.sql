-- Of the deliveries of one session, the row with the latest `loaded_at` stands.
with

raw_rows as (

    select * from {{ ref('raw_sessions') }}

),

deliveries as (

    select
        *,
        {{ delivery_recency('session_id') }} as recency
    from raw_rows

),

final as (

    select distinct
        session_id,
        participant_id,
        provider_id,
        provider_type,
        started_at,
        status,
        duration_minutes,
        loaded_at
    from deliveries
    where session_id is null or recency = 1

)

select * from final
