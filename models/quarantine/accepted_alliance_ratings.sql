-- The current rows of `alliance_ratings` that are not in quarantine: what the study is computed from.
with

stg_rows as (

    select * from {{ ref('stg_alliance_ratings') }}

),

quarantined as (

    select
        rating_id,
        loaded_at
    from {{ ref('quarantined_alliance_ratings') }}

),

final as (

    select stg_rows.*
    from stg_rows
    where not exists (
        select 1 from quarantined
        where
            stg_rows.rating_id is not distinct from quarantined.rating_id
            and stg_rows.loaded_at is not distinct from quarantined.loaded_at
    )

)

select * from final
