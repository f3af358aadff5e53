{#- Write, audit, publish.

    A model of materialization `candidate` is a mart of the running build: a table of its own, named after the build, with
    the types and `not null` of its contract, and a view on it in schema `candidates` for the models downstream. Schema
    `marts` is untouched. The one model of materialization `publication` then points the views of `marts` at the new
    tables in a single transaction, so a reader, or whoever looks after a crash, finds all old tables or all new ones. -#}

{% macro table_of_this_build(relation) %}
    {{ return(relation.incorporate(
        path={'identifier': relation.identifier ~ '__' ~ invocation_id | replace('-', '')}, type='table'
    )) }}
{% endmacro %}

{% materialization candidate, adapter='duckdb' %}
    {%- set view = this.incorporate(type='view') -%}
    {%- set table = table_of_this_build(this) -%}
    {%- set columns = model.columns.values() | list %}
    {%- set names = columns | map(attribute='name') | join(', ') %}

    {{ run_hooks(pre_hooks) }}
    {{ get_assert_columns_equivalent(sql) }}
    {% call statement('main') -%}
        create or replace table {{ table }} (
            {%- for column in columns %}
            {{ column.name }} {{ column.data_type }}
            {%- if column.constraints | selectattr('type', 'equalto', 'not_null') | list %} not null{% endif %}
            {%- if not loop.last %},{% endif %}
            {%- endfor %}
        );
        insert into {{ table }} ({{ names }})
        select {{ names }} from (
            {{ sql }}
        ) as candidate;
        create or replace view {{ view }} as select {{ names }} from {{ table }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [view]}) }}
{% endmaterialization %}

{% materialization publication, adapter='duckdb' %}
    {%- do require_whole_build(model) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set candidates = [] %}
    {%- for unique_id in model.depends_on.nodes if graph.nodes[unique_id].config.materialized == 'candidate' %}
        {%- do candidates.append(graph.nodes[unique_id]) %}
    {%- endfor %}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        create schema if not exists marts;
        {%- for node in candidates %}
        {{ publish_view(node) }}
        {%- endfor %}
        {{ record_publication(candidates | map(attribute='alias') | list) }}
        create or replace table {{ target }} as {{ sql }};
        {{ drop_tables_of_other_builds(candidates) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- The statements that point one view of `marts` at the table of this build, with the descriptions of its contract. -#}
{% macro publish_view(node) %}
    {%- set candidate = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) %}
    {%- set columns = node.columns.values() | list %}
    {%- set existing = load_relation(api.Relation.create(database=node.database, schema='marts', identifier=node.alias)) %}
    {%- if existing is not none and existing.type == 'table' %}
    drop table marts.{{ node.alias }};
    {%- endif %}
    create or replace view marts.{{ node.alias }} as
    select {{ columns | map(attribute='name') | join(', ') }} from {{ table_of_this_build(candidate) }};
    comment on view marts.{{ node.alias }} is '{{ node.description | trim | replace("'", "''") }}';
    {%- for column in columns %}
    comment on column marts.{{ node.alias }}.{{ column.name }} is '{{ column.description | trim | replace("'", "''") }}';
    {%- endfor %}
{% endmacro %}

{#- The tables of earlier builds: nothing reads them once the views of `marts` have moved. -#}
{% macro drop_tables_of_other_builds(candidates) %}
    {%- set found = run_query(
        "select schema_name, table_name from duckdb_tables() where schema_name = 'candidates'"
        ~ " and table_name like '%\\_\\_%' escape '\\' and not ends_with(table_name, '__" ~ invocation_id | replace('-', '') ~ "')"
    ) %}
    {%- for row in found.rows %}
    drop table {{ row[0] }}.{{ row[1] }};
    {%- endfor %}
{% endmacro %}

{#- A publication is whole or not at all: everything upstream has to be part of this very invocation. What was selected
    and failed has already made dbt skip the publication; what was left out is refused here. -#}
{% macro require_whole_build(publication) %}
    {%- set left_out = left_out_upstream_of(publication) %}
    {%- if left_out %}
        {%- do exceptions.raise_compiler_error(
            'marts are published by a whole build only, and this command left out ' ~ left_out | length
            ~ ' of its models (' ~ left_out[:3] | join(', ') ~ ', ...): run `dbt build` or `dbt run` without a selection'
        ) %}
    {%- endif %}
{% endmacro %}

{#- The names of the models upstream of a node that this invocation does not run. -#}
{% macro left_out_upstream_of(node) %}
    {%- set pending = [node.unique_id] %}
    {%- set seen = [] %}
    {%- for _ in graph.nodes if pending %}
        {%- set unique_id = pending.pop() %}
        {%- for parent in graph.nodes[unique_id].depends_on.nodes
            if parent.startswith('model.') and parent not in seen %}
            {%- do seen.append(parent) %}
            {%- do pending.append(parent) %}
        {%- endfor %}
    {%- endfor %}
    {{ return(seen | reject('in', selected_resources) | map('replace', 'model.' ~ project_name ~ '.', '') | sort) }}
{% endmacro %}
