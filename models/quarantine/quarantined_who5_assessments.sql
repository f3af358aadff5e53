-- Current rows of `who5_assessments` that break a row-level rule, or depend on a row that does; there are none unless on_bad_rows is quarantine.
{{ config(alias='who5_assessments') }}
with

stg_rows as (

    select * from {{ ref('stg_who5_assessments') }}

),

row_faults as (

    select * from {{ ref('row_faults') }}
    where table_name = 'who5_assessments'

),

quarantined_parents as (

    select distinct quarantined.participant_id
    from {{ ref('quarantined_participants') }} as quarantined
    where not exists (
        select 1 from {{ ref('accepted_participants') }} as accepted
        where accepted.participant_id = quarantined.participant_id
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
        stg_rows.assessment_id as row_key,
        stg_rows.loaded_at,
        'its participant is in quarantine' as rule
    from stg_rows
    inner join quarantined_parents on stg_rows.participant_id = quarantined_parents.participant_id

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
            stg_rows.assessment_id is not distinct from reasons.row_key
            and stg_rows.loaded_at is not distinct from reasons.loaded_at

)

select * from final
