{#- The tables of the raw export that the study reads, in the order in which one refers to another. -#}
{% macro raw_tables() %}
    {{ return(['participants', 'who5_assessments', 'sessions', 'alliance_ratings'] + study().further_tables) }}
{% endmacro %}

{#- The view of a table's current (`current`) or accepted (`stg`) rows. Those of further instruments are no models: the model
    that decides which rows they have makes them (`further_views`). -#}
{% macro rows_of(kind, table) %}
    {%- if table in study().further_tables %}
        {{ return(api.Relation.create(database=target.get('database'), schema='staging', identifier=kind ~ '_' ~ table)) }}
    {%- endif %}
    {{ return(ref(kind ~ '_' ~ table)) }}
{% endmacro %}

{#- Post-hook of the model `decided` that says which rows stand, or wait: the views of the further instruments' rows. -#}
{% macro further_views(kind, decided) %}
    {%- set views = [] %}
    {%- for table in study().further_tables %}
        {%- do views.append(
            'create or replace view ' ~ rows_of(kind, table) ~ ' as '
            ~ (current_rows(table, decided) if kind == 'current' else accepted_rows(table, decided))
        ) %}
    {%- endfor %}
    {{ return(in_turn(views)) }}
{% endmacro %}

{#- The columns that a source declares, in their order. -#}
{% macro declared_columns_of(table) %}
    {%- if not execute %}
        {{ return(['loaded_at']) }}
    {%- endif %}
    {{ return(graph.sources['source.' ~ project_name ~ '.raw.' ~ table].columns.keys() | list) }}
{% endmacro %}

{#- The column of a source that is its key. -#}
{% macro key_of(table) %}
    {%- if not execute %}
        {{ return('loaded_at') }}
    {%- endif %}
    {%- for column in graph.sources['source.' ~ project_name ~ '.raw.' ~ table].columns.values()
        if column.config.meta.primary_key %}
        {{ return(column.name) }}
    {%- endfor %}
{% endmacro %}

{#- The shares of a table's rows that are watched, by name, as conditions: all rows, then those that its source declares. -#}
{% macro watched_shares(table) %}
    {%- set shares = {'rows': 'true'} %}
    {%- if execute %}
        {%- set declared = graph.sources['source.' ~ project_name ~ '.raw.' ~ table].config.meta.watched_shares %}
        {%- for name, condition in declared.items() %}
            {%- do shares.update({name: condition | replace('{home_country}', var('home_country'))}) %}
        {%- endfor %}
    {%- endif %}
    {{ return(shares) }}
{% endmacro %}

{#- The column of a table that says when what a row tells of happened. -#}
{% macro moment_of(table) %}
    {{ return(graph.sources['source.' ~ project_name ~ '.raw.' ~ table].config.meta.moment if execute else 'loaded_at') }}
{% endmacro %}

{#- Whether a delivered row belongs to an erased participant. A rating names a session, so its participant is looked up in all
    sessions that were delivered. -#}
{% macro is_erased(table, row) -%}
    exists (
        select 1
        from {{ source('raw', 'erasures') }} as erased
        {%- if table == 'alliance_ratings' %}
        inner join {{ source('raw', 'sessions') }} as of_participant
            on erased.participant_id = of_participant.participant_id
        where of_participant.session_id = {{ row }}.session_id
        {%- else %}
        where erased.participant_id = {{ row }}.participant_id
        {%- endif %}
    )
{%- endmacro %}

{% macro rows_that_stay(table) -%}
    select delivered.*
    from {{ source('raw', table) }} as delivered
    where not {{ is_erased(table, 'delivered') }}
{%- endmacro %}

{#- The rows of a table whose key occurs more than once, as CTEs that end in one named after the table. The keys are found by
    a hash: where no hash repeats, no key does. Of their few rows key and moment are compared first, and whole rows only
    where two of one key have the latest moment, or none. -#}
{% macro rows_of_repeated_keys(table) %}
    {%- set key = key_of(table) %}
{{ table }}_by_key as (

    select delivered.*
    from ({{ rows_that_stay(table) }}) as delivered
    where
        {{ key }} is not null
        and {{ hash_of(key) }} in (
            select {{ hash_of(key) }}
            from ({{ rows_that_stay(table) }}) as keyed
            where {{ key }} is not null
            group by {{ hash_of(key) }}
            having count(*) > 1
        )

),

{{ table }}_by_moment as (

    select
        *,
        {{ key }} as row_key,
        max(loaded_at) over (partition by {{ key }}) as latest_loaded_at,
        count(*) over (partition by {{ key }}, loaded_at) as rows_of_the_moment
    from {{ table }}_by_key

),

{{ table }}_copies as (

    select
        part_file,
        row_number
    from (
        select
            part_file,
            row_number,
            row_number() over (
                partition by {{ declared_columns_of(table) | join(', ') }}, unreadable
                order by part_file, row_number
            ) as copy_number
        from {{ table }}_by_moment
        where rows_of_the_moment > 1 and (loaded_at is null or loaded_at = latest_loaded_at)
    ) as compared
    where copy_number > 1

),

{{ table }}_placed as (

    select
        keyed.row_key,
        keyed.part_file,
        keyed.row_number,
        case
            when keyed.loaded_at < keyed.latest_loaded_at then 'superseded'
            when copies.part_file is not null then 'copy'
            else 'current'
        end as standing
    from {{ table }}_by_moment as keyed
    left join {{ table }}_copies as copies
        on keyed.part_file = copies.part_file and keyed.row_number = copies.row_number

),

{{ table }} as (

    select
        '{{ table }}' as table_name,
        part_file,
        row_number,
        case standing when 'current' then 'contested' else standing end as standing
    from (
        select
            *,
            count(case when standing = 'current' then 1 end) over (partition by row_key) as current_rows
        from {{ table }}_placed
    ) as counted
    where standing <> 'current' or current_rows > 1

),
{% endmacro %}

{#- The current rows of a table: of every key the latest delivery, without copies and without erased participants. -#}
{% macro current_rows(table, repeated_rows=none) %}
with

delivered as (

    {{ rows_that_stay(table) }}

),

superseded as (

    select
        part_file,
        row_number
    from {{ repeated_rows or ref('repeated_rows') }}
    where table_name = '{{ table }}' and standing in ('superseded', 'copy')

),

final as (

    select delivered.*
    from delivered
    where
        not exists (
            select 1 from superseded
            where delivered.part_file = superseded.part_file and delivered.row_number = superseded.row_number
        )

)

select * from final
{% endmacro %}

{#- The current rows of a table that are not in quarantine. -#}
{% macro accepted_rows(table, quarantined_rows=none) %}
with

current_rows as (

    select * from {{ rows_of('current', table) }}

),

quarantined as (

    select
        part_file,
        row_number
    from {{ quarantined_rows or ref('quarantined_rows') }}
    where table_name = '{{ table }}'

),

final as (

    select current_rows.*
    from current_rows
    where
        not exists (
            select 1 from quarantined
            where current_rows.part_file = quarantined.part_file and current_rows.row_number = quarantined.row_number
        )

)

select * from final
{% endmacro %}
