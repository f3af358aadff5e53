-- The rows of the part files that this build reads for the first time, as the declared types; rows of erased participants stay outside.
-- depends_on: {{ ref('gate_files') }}
with

source as (

    select * from {{ rows_to_read('participants') }}

),

typed as (

    select
        {{ read_key('participant_id') }} as participant_id,
        {{ read_timestamp('registered_at') }} as registered_at,
        {{ read_integer('age_years') }} as age_years,
        {{ read_varchar('sex') }} as sex,
        {{ read_varchar('country_code') }} as country_code,
        {{ read_boolean('employer_sponsored') }} as employer_sponsored,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ file_name_of('part_file') }} as file_name
    from source

),

final as (

    select * from typed
    where {{ is_not_erased('participants') }}

)

select * from final
