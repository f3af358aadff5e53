-- Every delivered row of every part file, read as the declared types.
-- depends_on: {{ ref('gate_files') }}
with

source as (

    select * from {{ source('raw', 'sessions') }}

),

final as (

    select
        {{ read_key('session_id') }} as session_id,
        {{ read_key('participant_id') }} as participant_id,
        {{ read_key('provider_id') }} as provider_id,
        {{ read_varchar('provider_type') }} as provider_type,
        {{ read_timestamp('started_at') }} as started_at,
        {{ read_varchar('status') }} as status,
        {{ read_integer('duration_minutes') }} as duration_minutes,
        {{ read_timestamp('loaded_at') }} as loaded_at
    from source

)

select * from final
