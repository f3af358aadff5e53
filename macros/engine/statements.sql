{#- Statements one after another: DuckDB takes them in one text, Spark one at a time. Returns what a hook has left to run. -#}
{% macro in_turn(statements) -%}
    {{ return(adapter.dispatch('in_turn', 'rapport')(statements)) }}
{%- endmacro %}

{% macro default__in_turn(statements) -%}
    {{ return(statements | join(';\n')) }}
{%- endmacro %}

{% macro spark__in_turn(statements) -%}
    {%- if execute %}
    {%- for statement in statements %}
        {%- do run_query(statement) %}
    {%- endfor %}
    {%- endif %}
    {{ return('') }}
{%- endmacro %}

{#- The names of the tables and views of a schema that is there, as they are now: dbt's cache does not know what Python and hooks
    have made. Spark has no information_schema. -#}
{% macro names_in(schema) -%}
    {{ return(adapter.dispatch('names_in', 'rapport')(schema)) }}
{%- endmacro %}

{% macro default__names_in(schema) -%}
    {{ return(run_query(
        "select table_name from information_schema.tables where table_schema = '" ~ schema ~ "'"
    ).columns[0].values() | list) }}
{%- endmacro %}

{% macro spark__names_in(schema) -%}
    {{ return(run_query('show tables in ' ~ schema).columns[1].values() | list) }}
{%- endmacro %}

{#- Drop a table with its files, or a view: which of the two it is Spark wants to be told. -#}
{% macro spark__drop(schema, name) -%}
    {%- set is_view = run_query('show views in ' ~ schema ~ " like '" ~ name ~ "'").rows %}
    {%- do run_query('drop ' ~ ('view' if is_view else 'table') ~ ' if exists ' ~ schema ~ '.' ~ name ~ ('' if is_view else ' purge')) %}
{%- endmacro %}

{#- The names of the columns of a table or view, none where there is no such one. -#}
{% macro column_names_of(schema, name) -%}
    {{ return(adapter.dispatch('column_names_of', 'rapport')(schema, name)) }}
{%- endmacro %}

{% macro default__column_names_of(schema, name) -%}
    {{ return(run_query(
        "select column_name from information_schema.columns where table_schema = '" ~ schema ~ "' and table_name = '" ~ name ~ "'"
    ).columns[0].values() | list) }}
{%- endmacro %}

{% macro spark__column_names_of(schema, name) -%}
    {%- if name not in names_in(schema) %}
        {{ return([]) }}
    {%- endif %}
    {{ return(run_query('show columns in ' ~ schema ~ '.' ~ name).columns[0].values() | list) }}
{%- endmacro %}
