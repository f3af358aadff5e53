-- The current rows of `who5_assessments` that are not in quarantine: what the study is computed from.
with

stg_rows as (

    select * from {{ ref('stg_who5_assessments') }}

),

quarantined as (

    select
        assessment_id,
        loaded_at
    from {{ ref('quarantined_who5_assessments') }}

),

final as (

    select stg_rows.*
    from stg_rows
    where not exists (
        select 1 from quarantined
        where
            stg_rows.assessment_id is not distinct from quarantined.assessment_id
            and stg_rows.loaded_at is not distinct from quarantined.loaded_at
    )

)

select * from final
