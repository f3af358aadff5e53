-- The current rows of `sessions` on which a verdict may have changed: those of touched participants, and those of nobody.
{{ config(materialized='table') }}
with

stg_rows as (

    select * from {{ ref('stg_sessions') }}

),

touched as (

    select * from {{ ref('touched_participants') }}

),

final as (

    select stg_rows.* from stg_rows
    where
        stg_rows.participant_id is null
        or stg_rows.participant_id in (select touched.participant_id from touched)

)

select * from final
