{#- What every build writes anew, and nobody reads between builds.

    dbt's `table` and `view` write under another name, rename twice and drop, so that a reader finds the old rows until the
    new ones are whole. Readers have the views of `marts`; here one `create or replace` does, at a third of the time. A model
    of materialization `rebuilt` is a table, or with config `rebuilt_as: view` a view. dbt takes Python models for tables of its
    own unless their YAML says so. -#}
{% materialization rebuilt, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set target = this.incorporate(type=config.get('rebuilt_as', 'table')) %}
    {%- set existing = load_cached_relation(this) %}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is not none and existing.type != target.type %}
        {%- do adapter.drop_relation(existing) %}
        {#- A Python model is written by a cursor of its own, which has to see that the name is free. #}
        {%- do adapter.commit() %}
    {%- endif %}
    {%- if model['language'] == 'python' %}
    {% call statement('main', language='python') -%}
{{ compiled_code }}

def materialize(rows, connection):
    connection.register('rows_of_the_model', rows)
    connection.execute('create or replace table {{ target }} as select * from rows_of_the_model')
    connection.unregister('rows_of_the_model')
    {%- endcall %}
    {%- else %}
    {% call statement('main') -%}
        create or replace {{ target.type }} {{ target }} as (
            {{ sql }}
        )
    {%- endcall %}
    {%- endif %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- Spark has no `create or replace table` for Parquet, and writes Python's rows through the submission method `local`
    (python/dbt_rapport/spark.py). -#}
{% materialization rebuilt, adapter='spark', supported_languages=['sql', 'python'] %}
    {%- set target = this.incorporate(type=config.get('rebuilt_as', 'table')) %}
    {%- set existing = load_cached_relation(this) %}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is not none and (existing.type != target.type or target.type == 'table') %}
        {%- do adapter.drop_relation(existing) %}
    {%- endif %}
    {%- if model['language'] == 'python' %}
    {% call statement('main', language='python') -%}
{{ compiled_code }}
    {%- endcall %}
    {%- elif target.type == 'view' %}
    {% call statement('main') -%}
        create or replace view {{ target }} as
        {{ sql }}
    {%- endcall %}
    {%- else %}
    {% call statement('main') -%}
        create table {{ target }} {{ file_format_clause() }} as
        {{ sql }}
    {%- endcall %}
    {%- endif %}
    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}
