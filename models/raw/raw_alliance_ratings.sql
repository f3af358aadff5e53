-- The rows of the part files that this build reads for the first time, as the declared types; rows of erased participants stay outside.
-- depends_on: {{ ref('gate_files') }}
with

source as (

    select * from {{ rows_to_read('alliance_ratings') }}

),

typed as (

    select
        {{ read_key('rating_id') }} as rating_id,
        {{ read_key('session_id') }} as session_id,
        {{ read_timestamp('submitted_at') }} as submitted_at,
        {{ read_integer('bond_item') }} as bond_item,
        {{ read_integer('goals_item') }} as goals_item,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ file_name_of('part_file') }} as file_name
    from source

),

final as (

    select * from typed
    where {{ is_not_erased('alliance_ratings') }}

)

select * from final
