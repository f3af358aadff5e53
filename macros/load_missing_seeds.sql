{#- `dbt run` loads no seeds: in a database that has none yet they are read here, so that it works like `dbt build`. -#}
{% macro load_missing_seeds() %}
    {{ return(adapter.dispatch('load_missing_seeds', 'rapport')()) }}
{% endmacro %}

{% macro default__load_missing_seeds() %}
    {%- if execute and flags.WHICH == 'run' %}
    {%- for seed in graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') %}
    create schema if not exists {{ seed.schema }};
    create table if not exists {{ seed.schema }}.{{ seed.alias }} as
    select * from read_csv('{{ seed.original_file_path }}', header = true, columns = {
        {%- for column, type in seed.config.column_types.items() %}
        '{{ column }}': '{{ type }}'{% if not loop.last %},{% endif %}
        {%- endfor %}
    });
    {%- endfor %}
    {%- endif %}
{% endmacro %}
