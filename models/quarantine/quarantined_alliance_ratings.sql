-- Current rows of `alliance_ratings` that break a row-level rule, or depend on a row that does; there are none unless on_bad_rows is quarantine.
{{ config(alias='alliance_ratings') }}
with

stg_rows as (

    select * from {{ ref('stg_alliance_ratings') }}

),

row_faults as (

    select * from {{ ref('row_faults') }}
    where table_name = 'alliance_ratings'

),

quarantined_parents as (

    select distinct quarantined.session_id
    from {{ ref('quarantined_sessions') }} as quarantined
    where not exists (
        select 1 from {{ ref('accepted_sessions') }} as accepted
        where accepted.session_id = quarantined.session_id
    )

),

faults as (

    select
        row_key,
        loaded_at,
        rule
    from row_faults
    union all
    select
        stg_rows.rating_id as row_key,
        stg_rows.loaded_at,
        'its session is in quarantine' as rule
    from stg_rows
    inner join quarantined_parents on stg_rows.session_id = quarantined_parents.session_id

),

reasons as (

    select
        row_key,
        loaded_at,
        {{ join_strings('rule', "'; '", 'rule') }} as rules
    from faults
    group by row_key, loaded_at

),

final as (

    select
        '{{ invocation_id }}' as build_id,
        reasons.rules,
        stg_rows.*
    from stg_rows
    inner join reasons
        on
            stg_rows.rating_id is not distinct from reasons.row_key
            and stg_rows.loaded_at is not distinct from reasons.loaded_at

)

select * from final
