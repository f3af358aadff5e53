{#- Every delivered row of a raw table with its standing among the rows of its key.

    current     the latest `loaded_at` of its key; a row that cannot be placed (no key, no `loaded_at`, two different rows
                of one moment) stays current too, for the audit to see
    superseded  a later row of its key was delivered
    copy        the same row was delivered before

    `columns` are those in which a copy equals its original: all that the source declares. Incrementally only the rows of
    keys that the new, rewritten or withdrawn files speak of are placed anew. -#}
{% macro deliveries(table, key, columns) %}
    {%- set new_rows = ref('raw_' ~ table) %}
    {%- set plan = ref('reading_plan') %}
with

new_rows as (

    select * from {{ new_rows }}

),

{% if is_incremental() -%}
gone_files as (

    select file_name from {{ plan }}
    where table_name = '{{ table }}' and standing in ('rewritten', 'withdrawn')

),

changed_keys as (

    select {{ key }} from new_rows
    where {{ key }} is not null
    union
    select {{ key }} from {{ this }}
    where {{ key }} is not null and file_name in (select file_name from gone_files)

),

stored_rows as (

    select * exclude (standing) from {{ this }}
    where
        {{ key }} in (select {{ key }} from changed_keys)
        and file_name not in (select file_name from gone_files)

),

delivered_rows as (

    select * from new_rows
    union all by name
    select * from stored_rows

),
{%- else -%}
delivered_rows as (

    select * from new_rows

),
{%- endif %}

repeated_keys as (

    select {{ key }} from delivered_rows
    where {{ key }} is not null
    group by {{ key }}
    having count(*) > 1

),

single_rows as (

    select *, 'current' as standing from delivered_rows
    where {{ key }} is null or {{ key }} not in (select {{ key }} from repeated_keys)

),

rivals as (

    select
        *,
        max(loaded_at) over (partition by {{ key }}) as latest_loaded_at,
        row_number() over (partition by {{ columns | join(', ') }} order by file_name) as copy_number
    from delivered_rows
    where {{ key }} in (select {{ key }} from repeated_keys)

),

placed_rows as (

    select
        * exclude (latest_loaded_at, copy_number),
        case
            when copy_number > 1 then 'copy'
            when loaded_at is null or loaded_at = latest_loaded_at then 'current'
            else 'superseded'
        end as standing
    from rivals

),

final as (

    select * from single_rows
    union all by name
    select * from placed_rows

)

select * from final
{% endmacro %}

{#- The columns that a source declares, in their order. -#}
{% macro declared_columns_of(table) %}
    {%- if not execute %}
        {{ return(['loaded_at']) }}
    {%- endif %}
    {{ return(graph.sources['source.' ~ project_name ~ '.raw.' ~ table].columns.keys() | list) }}
{% endmacro %}

{#- Incremental strategy `deliveries`: the rows of changed keys give way to the same rows placed anew, rows of rewritten
    and withdrawn files go, and the participants and sessions of all these rows are remembered as touched. -#}
{% macro get_incremental_deliveries_sql(arguments) %}
    {%- set target = arguments.target_relation %}
    {%- set placed = arguments.temp_relation %}
    {%- set table = model.name | replace('delivered_', '') %}
    {%- set key = config.require('unique_key') %}
    {%- set affected -%}
        {{ key }} in (select {{ key }} from {{ placed }})
        or file_name in (
            select file_name from {{ ref('reading_plan') }}
            where table_name = '{{ table }}' and standing in ('rewritten', 'withdrawn')
        )
    {%- endset %}
    {%- set owners = declared_columns_of(table) | select('in', ['participant_id', 'session_id']) | join(', ') %}
    insert into ops.touched_participants ({{ owners }}, is_everyone)
    select {{ owners }}, false from {{ target }} where {{ affected }}
    union
    select {{ owners }}, false from {{ placed }};
    delete from {{ target }} where {{ affected }};
    insert into {{ target }} by name select * from {{ placed }};
{% endmacro %}

{#- Post-hook of the delivered tables: which files their rows come from, in the transaction that wrote the rows. -#}
{% macro remember_files() %}
    {%- set table = model.name | replace('delivered_', '') %}
    {%- if must_rebuild(model.name) == 'true' %}
    insert into ops.touched_participants (is_everyone) values (true);
    delete from ops.settled_rules;
    {%- endif %}
    delete from ops.loaded_files
    where
        table_name = '{{ table }}'
        and file_name not in (
            select file_name from {{ ref('reading_plan') }}
            where table_name = '{{ table }}' and standing = 'known'
        );
    insert into ops.loaded_files by name
    select
        plan.table_name,
        plan.file_name,
        plan.bytes,
        plan.sha256,
        files.delivered_rows,
        coalesce(erased.erased_rows, 0) as erased_rows,
        plan.build_id
    from {{ ref('reading_plan') }} as plan
    inner join {{ ref('part_file_rows') }} as files
        on plan.table_name = files.table_name and plan.file_name = files.file_name
    left join ({{ erased_rows(table) }}) as erased on plan.file_name = erased.file_name
    where plan.table_name = '{{ table }}' and plan.standing in ('new', 'rewritten');
    {{ remember_definitions() }}
{% endmacro %}
