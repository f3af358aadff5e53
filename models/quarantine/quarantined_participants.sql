-- Current rows of `participants` that break a row-level rule, or depend on a row that does; there are none unless on_bad_rows is quarantine.
{{ config(alias='participants') }}
with

stg_rows as (

    select * from {{ ref('stg_participants') }}

),

row_faults as (

    select * from {{ ref('row_faults') }}
    where table_name = 'participants'

),

faults as (

    select
        row_key,
        loaded_at,
        rule
    from row_faults

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
            stg_rows.participant_id is not distinct from reasons.row_key
            and stg_rows.loaded_at is not distinct from reasons.loaded_at

)

select * from final
