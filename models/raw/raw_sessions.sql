-- The rows of the part files that this build reads for the first time, as the declared types; rows of erased participants stay outside.
-- depends_on: {{ ref('gate_files') }}
with

source as (

    select * from {{ rows_to_read('sessions') }}

),

typed as (

    select
        {{ read_key('session_id') }} as session_id,
        {{ read_key('participant_id') }} as participant_id,
        {{ read_key('provider_id') }} as provider_id,
        {{ read_varchar('provider_type') }} as provider_type,
        {{ read_timestamp('started_at') }} as started_at,
        {{ read_varchar('status') }} as status,
        {{ read_integer('duration_minutes') }} as duration_minutes,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ file_name_of('part_file') }} as file_name
    from source

),

final as (

    select * from typed
    where {{ is_not_erased('sessions') }}

)

select * from final
