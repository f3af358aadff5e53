-- The rows of the part files that this build reads for the first time, as the declared types; rows of erased participants stay outside.
-- depends_on: {{ ref('gate_files') }}
with

source as (

    select * from {{ rows_to_read('who5_assessments') }}

),

typed as (

    select
        {{ read_key('assessment_id') }} as assessment_id,
        {{ read_key('participant_id') }} as participant_id,
        {{ read_timestamp('completed_at') }} as completed_at,
        {{ read_integer('item_1') }} as item_1,
        {{ read_integer('item_2') }} as item_2,
        {{ read_integer('item_3') }} as item_3,
        {{ read_integer('item_4') }} as item_4,
        {{ read_integer('item_5') }} as item_5,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ file_name_of('part_file') }} as file_name
    from source

),

final as (

    select * from typed
    where {{ is_not_erased('who5_assessments') }}

)

select * from final
