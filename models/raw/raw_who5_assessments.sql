-- Every delivered row of every part file, read as the declared types.
-- depends_on: {{ ref('gate_files') }}
with

source as (

    select * from {{ source('raw', 'who5_assessments') }}

),

final as (

    select
        {{ read_key('assessment_id') }} as assessment_id,
        {{ read_key('participant_id') }} as participant_id,
        {{ read_timestamp('completed_at') }} as completed_at,
        {{ read_integer('item_1') }} as item_1,
        {{ read_integer('item_2') }} as item_2,
        {{ read_integer('item_3') }} as item_3,
        {{ read_integer('item_4') }} as item_4,
        {{ read_integer('item_5') }} as item_5,
        {{ read_timestamp('loaded_at') }} as loaded_at
    from source

)

select * from final
