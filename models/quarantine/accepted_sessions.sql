-- The current rows of `sessions` that are not in quarantine: what the study is computed from.
with

stg_rows as (

    select * from {{ ref('stg_sessions') }}

),

quarantined as (

    select
        session_id,
        loaded_at
    from {{ ref('quarantined_sessions') }}

),

final as (

    select stg_rows.*
    from stg_rows
    where not exists (
        select 1 from quarantined
        where
            stg_rows.session_id is not distinct from quarantined.session_id
            and stg_rows.loaded_at is not distinct from quarantined.loaded_at
    )

)

select * from final
