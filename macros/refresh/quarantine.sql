{#- Current rows of a table that break a row-level rule, or refer to a row that does and that nothing accepted replaces.

    A current row is told from every other by its key and `loaded_at`; either may be null in a row that breaks a rule. -#}
{% macro quarantined_rows(table, key, parent=none, parent_key=none) %}
with

stg_rows as (

    select * from {{ ref('stg_' ~ table) }}

),

row_faults as (

    select * from {{ ref('row_faults') }}
    where table_name = '{{ table }}'

),

{% if parent -%}
quarantined_parents as (

    select distinct quarantined.{{ parent_key }}
    from {{ ref('quarantined_' ~ parent) }} as quarantined
    where not exists (
        select 1 from {{ ref('accepted_' ~ parent) }} as accepted
        where accepted.{{ parent_key }} = quarantined.{{ parent_key }}
    )

),

{% endif -%}
faults as (

    select
        row_key,
        loaded_at,
        rule
    from row_faults
    {%- if parent %}
    union all
    select
        stg_rows.{{ key }} as row_key,
        stg_rows.loaded_at,
        'its {{ parent_key | replace("_id", "") }} is in quarantine' as rule
    from stg_rows
    inner join quarantined_parents on stg_rows.{{ parent_key }} = quarantined_parents.{{ parent_key }}
    {%- endif %}

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
            stg_rows.{{ key }} is not distinct from reasons.row_key
            and stg_rows.loaded_at is not distinct from reasons.loaded_at

)

select * from final
{% endmacro %}

{#- The current rows of a table that are not in quarantine. -#}
{% macro accepted_rows(table, key) %}
with

stg_rows as (

    select * from {{ ref('stg_' ~ table) }}

),

quarantined as (

    select
        {{ key }},
        loaded_at
    from {{ ref('quarantined_' ~ table) }}

),

final as (

    select stg_rows.*
    from stg_rows
    where not exists (
        select 1 from quarantined
        where
            stg_rows.{{ key }} is not distinct from quarantined.{{ key }}
            and stg_rows.loaded_at is not distinct from quarantined.loaded_at
    )

)

select * from final
{% endmacro %}
