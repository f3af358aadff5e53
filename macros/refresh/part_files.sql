{#- The rows of part files as the engine's reader gives them, with the path of the file as `part_file` (the reader
    refuses a name that a file has too, so it is asked for one that no export has). `files` are paths in which glob
    characters stand for themselves; without any, an empty relation of the declared columns. -#}
{% macro read_part_files(table, files) %}
    {%- set columns = declared_columns_of(table) %}
    {%- if not files %}
    (
        select
            {%- for column in columns %}
            cast(null as varchar) as {{ column }},
            {%- endfor %}
            cast(null as varchar) as part_file
        where false
    )
    {%- else %}
    {%- set paths = [] %}
    {%- for file in files %}
        {%- do paths.append("'" ~ literal_path(file) ~ "'") %}
    {%- endfor %}
    (
        select
            {{ columns | join(', ') }},
            part_file_of_this_row_ as part_file
        from
        {%- if env_var('RAPPORT_RAW_FORMAT', 'parquet') == 'csv' %}
            read_csv(
                [{{ paths | join(', ') }}], header = true, all_varchar = true, delim = ',', quote = '"', escape = '"',
                union_by_name = true, filename = 'part_file_of_this_row_'
            )
        {%- else %}
            read_parquet(
                [{{ paths | join(', ') }}], union_by_name = true, hive_partitioning = false, filename = 'part_file_of_this_row_'
            )
        {%- endif %}
    )
    {%- endif %}
{% endmacro %}

{#- The name of a part file from its path. Said without a separator, DuckDB takes a backslash for one too. -#}
{% macro file_name_of(path) -%}
    parse_filename({{ path }}, false, 'system')
{%- endmacro %}

{#- A path inside a SQL string in which the characters of a glob pattern stand for themselves. -#}
{% macro literal_path(path) -%}
    {{ return(path | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') | replace("'", "''")) }}
{%- endmacro %}

{#- Paths of a table's part files with one of the standings of the reading plan; none before there is a plan, and none
    outside a build, so that what `dbt compile` shows does not depend on the last one. -#}
{% macro planned_files(table, standings) %}
    {%- set plan = ref('reading_plan') %}
    {%- if not is_build() or load_relation(plan) is none %}
        {{ return([]) }}
    {%- endif %}
    {%- set query -%}
        select path from {{ plan }}
        where table_name = '{{ table }}' and standing in ('{{ standings | join("', '") }}')
        order by file_name
    {%- endset %}
    {{ return(run_query(query).columns[0].values() | list) }}
{% endmacro %}

{#- The rows that this build has to read of a table: those of new and rewritten part files. -#}
{% macro rows_to_read(table) %}
    {%- do source('raw', table) %}
    {{- read_part_files(table, planned_files(table, ['new', 'rewritten'])) }}
{% endmacro %}

{#- Part files of the export that list the participants to be erased. -#}
{% macro erasure_files() %}
    {%- if not execute %}
        {{ return([]) }}
    {%- endif %}
    {%- set format = env_var('RAPPORT_RAW_FORMAT', 'parquet') %}
    {{ return(run_query("select file from glob('" ~ raw_path('erasures/*.' ~ format) ~ "') order by file").columns[0].values() | list) }}
{% endmacro %}

{#- A condition that holds for the rows of a table which belong to nobody who is to be erased. The list of them stays in
    the export: stored here it would be what it forbids. Ratings name a session, so theirs is looked up in all session
    files, read before or not. -#}
{% macro is_not_erased(table) %}
    {%- set files = erasure_files() %}
    {%- if not files %}
        {{ return('true') }}
    {%- endif %}
    {%- set paths = [] %}
    {%- for file in files %}
        {%- do paths.append("'" ~ literal_path(file) ~ "'") %}
    {%- endfor %}
    {%- set reader = 'read_csv' if env_var('RAPPORT_RAW_FORMAT', 'parquet') == 'csv' else 'read_parquet' %}
    {%- set options = ', header = true, all_varchar = true, union_by_name = true' if reader == 'read_csv' else ', union_by_name = true' %}
    {%- set erased -%}
        select cast(participant_id as varchar) from {{ reader }}([{{ paths | join(', ') }}]{{ options }})
        where participant_id is not null
    {%- endset %}
    {%- if 'participant_id' in declared_columns_of(table) %}
        {{ return('(participant_id is null or participant_id not in (' ~ erased ~ '))') }}
    {%- endif %}
    {%- set sessions = read_part_files('sessions', planned_files('sessions', ['new', 'rewritten', 'known'])) %}
    {{ return(
        '(session_id is null or session_id not in (select cast(session_id as varchar) from ' ~ sessions
        ~ ' where session_id is not null and cast(participant_id as varchar) in (' ~ erased ~ ')))'
    ) }}
{% endmacro %}

{#- How many rows of each newly read file were left out because their participant is to be erased. -#}
{% macro erased_rows(table) %}
    {%- set kept = is_not_erased(table) %}
    select
        {{ file_name_of('part_file') }} as file_name,
        count(*) as erased_rows
    from {{ rows_to_read(table) }}
    where {{ 'false' if kept == 'true' else 'not ' ~ kept }}
    group by part_file
{% endmacro %}
