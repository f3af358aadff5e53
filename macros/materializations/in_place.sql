{#- dbt-duckdb builds a table or view beside the old one, renames both and drops the old: six statements a model, and a
    killed build leaves the halves behind. DuckDB replaces in one statement, which is old or new as a whole. -#}

{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set target = this.incorporate(type='table') -%}
    {%- do drop_if_of_other_type(target) -%}

    {{ run_hooks(pre_hooks) }}
    {%- call statement('main', language=model['language']) -%}
        {%- if model['language'] == 'sql' %}
            create or replace table {{ target }} as (
                {{ sql }}
            )
        {%- else %}
            {{- write_rows(target) }}
        {%- endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- do drop_if_of_other_type(target) -%}

    {{ run_hooks(pre_hooks) }}
    {%- call statement('main') -%}
        create or replace view {{ target }} as (
            {{ sql }}
        )
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro drop_if_of_other_type(target) %}
    {%- set existing = load_cached_relation(target) %}
    {%- if existing is not none and existing.type != target.type %}
        {%- do adapter.drop_relation(existing) %}
    {%- endif %}
{% endmacro %}

{#- The end of a Python model's program: dbt-duckdb calls `materialize` with what the model returned. -#}
{% macro write_rows(target) -%}
{{ compiled_code }}


def materialize(rows, connection):
    import pyarrow.dataset  # DuckDB looks for it when it is given an Arrow table

    connection.register('rows_of_a_python_model', rows)
    connection.execute('create or replace table {{ target }} as from rows_of_a_python_model')
    connection.unregister('rows_of_a_python_model')
{%- endmacro %}
