-- Every delivered row of every part file, read as the declared types.
-- depends_on: {{ ref('gate_files') }}
with

source as (

    select * from {{ source('raw', 'participants') }}

),

final as (

    select
        {{ read_key('participant_id') }} as participant_id,
        {{ read_timestamp('registered_at') }} as registered_at,
        {{ read_integer('age_years') }} as age_years,
        {{ read_varchar('sex') }} as sex,
        {{ read_varchar('country_code') }} as country_code,
        {{ read_boolean('employer_sponsored') }} as employer_sponsored,
        {{ read_timestamp('loaded_at') }} as loaded_at
    from source

)

select * from final
