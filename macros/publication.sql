{#- Write, audit, publish.

    A model of materialization `candidate` belongs to the running build. As a table it is one of this build's own, with the
    types and `not null` of its contract; as a view (config `candidate_as: view`) it reads such tables by their own names and
    is checked against its contract. Either way a view of the model's name stands in its schema for the models downstream,
    and schema `marts` is untouched. The one model of materialization `publication` then points the views of `marts` at the
    tables of this build at once: a reader, or whoever looks after a crash, finds all old tables or all new ones. How, is the
    engine's (macros/engine/publication_*.sql). -#}

{% macro table_of_this_build(relation) %}
    {{ return(relation.incorporate(
        path={'identifier': relation.identifier ~ '__' ~ invocation_id | replace('-', '')}, type='table'
    )) }}
{% endmacro %}

{#- SQL in which every candidate that it reads is named by its table of this build; what a selection left out keeps the name
    of its view. -#}
{% macro bound_to_this_build(sql, node) %}
    {%- set bound = namespace(sql=sql) %}
    {%- for unique_id in node.depends_on.nodes
        if unique_id in selected_resources and graph.nodes[unique_id].config.materialized == 'candidate' %}
        {%- set upstream = graph.nodes[unique_id] %}
        {%- set relation = api.Relation.create(
            database=upstream.database, schema=upstream.schema, identifier=upstream.alias
        ) %}
        {#- Not the beginning of a longer name: not every engine's names are quoted. #}
        {%- set bound.sql = modules.re.sub(
            modules.re.escape(relation | string) ~ '(?!\\w)', table_of_this_build(relation) | string, bound.sql
        ) %}
    {%- endfor %}
    {{ return(bound.sql) }}
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

{#- The marts that a snapshot holds: those that var served_marts names, else all; without rows of people, unless var
    serve_participants, or serve_providers, lets them be served. -#}
{% macro served_marts(marts) %}
    {%- set named = var('served_marts') %}
    {%- set served = [] %}
    {%- for mart in marts if named is none or mart.alias in named %}
        {%- set refused = [] %}
        {%- for people in ['participant', 'provider']
            if people ~ '_id' in mart.columns and not var('serve_' ~ people ~ 's') %}
            {%- do refused.append(people) %}
        {%- endfor %}
        {%- if refused and named is not none %}
            {%- do exceptions.raise_compiler_error(
                'var served_marts names ' ~ mart.alias ~ ', which has a row per ' ~ refused[0]
                ~ ': take it out, or set serve_' ~ refused[0] ~ 's to true'
            ) %}
        {%- elif not refused %}
            {%- do served.append(mart) %}
        {%- endif %}
    {%- endfor %}
    {{ return(served) }}
{% endmacro %}
