{#- Write, audit, publish: the last step.

    A model of materialization `pending` is checked against its contract and left as a view in schema `pending`; it
    does not touch schema `marts`. The one model of materialization `publication` then replaces every published table
    in a single transaction: a reader, or whoever looks after a crash, finds all old tables or all new ones. -#}

{% macro pending_relation(relation) %}
    {{ return(relation.incorporate(path={'schema': 'pending'}, type='view')) }}
{% endmacro %}

{% materialization pending, adapter='duckdb' %}
    {%- set pending = pending_relation(this) -%}

    {{ run_hooks(pre_hooks) }}
    {{ get_assert_columns_equivalent(sql) }}
    {% call statement('main') -%}
        create schema if not exists {{ pending.without_identifier() }};
        create or replace view {{ pending }} as {{ sql }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{% materialization publication, adapter='duckdb' %}
    {%- do require_whole_build(model) -%}
    {%- set target = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        {%- set tables = [] %}
        {%- for unique_id in model.depends_on.nodes if graph.nodes[unique_id].config.materialized == 'pending' %}
            {%- set node = graph.nodes[unique_id] %}
            {%- set mart = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) %}
            {{ publish_table(node, mart) }}
            {%- do tables.append(mart) %}
        {%- endfor %}
        {{ record_publication(tables) }}
        create or replace table {{ target }} as {{ sql }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- The statements that replace one published table, with the types, constraints and descriptions of its contract. -#}
{% macro publish_table(node, mart) %}
    {%- set columns = node.columns.values() | list %}
    {%- set names = columns | map(attribute='name') | join(', ') %}
    create or replace table {{ mart }} (
        {%- for column in columns %}
        {{ column.name }} {{ column.data_type }}
        {%- if column.constraints | selectattr('type', 'equalto', 'not_null') | list %} not null{% endif %}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    );
    insert into {{ mart }} ({{ names }})
    select {{ names }} from {{ pending_relation(mart) }};
    comment on table {{ mart }} is '{{ node.description | trim | replace("'", "''") }}';
    {%- for column in columns %}
    comment on column {{ mart }}.{{ column.name }} is '{{ column.description | trim | replace("'", "''") }}';
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
