-- Every delivered row of every part file, read as the declared types.
-- depends_on: {{ ref('gate_files') }}
with

source as (

    select * from {{ source('raw', 'alliance_ratings') }}

),

final as (

    select
        {{ read_key('rating_id') }} as rating_id,
        {{ read_key('session_id') }} as session_id,
        {{ read_timestamp('submitted_at') }} as submitted_at,
        {{ read_integer('bond_item') }} as bond_item,
        {{ read_integer('goals_item') }} as goals_item,
        {{ read_timestamp('loaded_at') }} as loaded_at
    from source

)

select * from final
