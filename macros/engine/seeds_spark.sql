{#- Seeds on Spark. dbt's own way hands every value over between plain quotes, so that a quotation mark ends it; and a server
    cannot read a file of this machine. So the file is read here, as `dbt run` reads it on DuckDB. -#}
{% materialization seed, adapter='spark' %}
    {%- set target = this.incorporate(type='table') %}
    {{ run_hooks(pre_hooks) }}
    {%- do adapter.load_seed(target, model.original_file_path, config.get('column_types')) %}
    {#- What dbt shows of a seed when it is asked to. #}
    {%- do store_result('agate_table', response='OK', agate_table=load_agate_table()) %}
    {% call statement('main') -%}
        select count(*) from {{ target }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro spark__load_missing_seeds() %}
    {%- if execute and flags.WHICH == 'run' %}
    {%- for seed in graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') %}
        {%- do run_query('create schema if not exists ' ~ seed.schema) %}
        {%- if seed.alias not in names_in(seed.schema) %}
            {%- set relation = api.Relation.create(schema=seed.schema, identifier=seed.alias) %}
            {%- do adapter.load_seed(relation, seed.original_file_path, seed.config.column_types) %}
        {%- endif %}
    {%- endfor %}
    {%- endif %}
    {{ return('') }}
{% endmacro %}
