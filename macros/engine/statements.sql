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

{#- The relations of a schema, as `{'name': …, 'type': 'table' or 'view'}`, as they are now: dbt's cache does not know what
    Python and hooks have made. Spark has no information_schema. -#}
{% macro relations_of(schema) -%}
    {{ return(adapter.dispatch('relations_of', 'rapport')(schema)) }}
{%- endmacro %}

{% macro default__relations_of(schema) -%}
    {%- set found = [] %}
    {%- for row in run_query(
        "select table_name, case when table_type = 'VIEW' then 'view' else 'table' end from information_schema.tables"
        ~ " where table_schema = '" ~ schema ~ "' order by table_name"
    ).rows %}
        {%- do found.append({'name': row[0], 'type': row[1]}) %}
    {%- endfor %}
    {{ return(found) }}
{%- endmacro %}

{% macro spark__relations_of(schema) -%}
    {%- set found = [] %}
    {%- if schema in run_query('show schemas').columns[0].values() %}
        {%- set views = run_query('show views in ' ~ schema).columns[1].values() | list %}
        {%- for name in run_query('show tables in ' ~ schema).columns[1].values() | sort %}
            {%- do found.append({'name': name, 'type': 'view' if name in views else 'table'}) %}
        {%- endfor %}
    {%- endif %}
    {{ return(found) }}
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
    {%- if name not in relations_of(schema) | map(attribute='name') | list %}
        {{ return([]) }}
    {%- endif %}
    {{ return(run_query('show columns in ' ~ schema ~ '.' ~ name).columns[0].values() | list) }}
{%- endmacro %}
