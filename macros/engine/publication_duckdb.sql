{#- The publication on DuckDB: one transaction (macros/publication.sql). -#}

{% materialization candidate, adapter='duckdb' %}
    {%- set view = this.incorporate(type='view') -%}
    {%- do model.update({'columns': columns_of(model)}) %}
    {%- set columns = model.columns.values() | list %}
    {%- set names = columns | map(attribute='name') | join(', ') %}
    {%- set required = [] %}
    {%- for column in columns if column.constraints | selectattr('type', 'equalto', 'not_null') | list %}
        {%- do required.append(column.name) %}
    {%- endfor %}

    {{ run_hooks(pre_hooks) }}
    {{ get_assert_columns_equivalent(sql) }}
    {#- An older version of this project may have kept a table of this name. -#}
    {%- set existing = load_cached_relation(this) %}
    {%- if existing is not none and existing.type == 'table' %}
        {%- do adapter.drop_relation(existing) %}
    {%- endif %}
    {% call statement('main') -%}
        {%- if config.get('candidate_as') == 'view' %}
        create or replace view {{ view }} as
        select {{ names }} from (
            {{ bound_to_this_build(sql, model) }}
        ) as candidate;
        select {{ raise_error("'" ~ this.identifier ~ ": a column that its contract calls not null is null'") }}
        from {{ view }}
        where {{ required | join(' is null or ') }} is null
        limit 1
        {%- else %}
        {%- set table = table_of_this_build(this) %}
        create or replace table {{ table }} (
            {%- for column in columns %}
            {{ column.name }} {{ column.data_type }}{{ ' not null' if column.name in required }}
            {%- if not loop.last %},{% endif %}
            {%- endfor %}
        );
        insert into {{ table }} ({{ names }})
        select {{ names }} from (
            {{ sql }}
        ) as candidate;
        create or replace view {{ view }} as select {{ names }} from {{ table }}
        {%- endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [view]}) }}
{% endmaterialization %}

{% materialization publication, adapter='duckdb' %}
    {%- do require_whole_build(model) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set marts = [] %}
    {%- for unique_id in model.depends_on.nodes if graph.nodes[unique_id].config.materialized == 'candidate' %}
        {%- do marts.append(graph.nodes[unique_id]) %}
    {%- endfor %}

    {{ run_hooks(pre_hooks) }}
    {%- do write_snapshot(served_marts(marts)) -%}
    {% call statement('main') -%}
        create schema if not exists marts;
        {%- for mart in marts %}
        {{ publish_view(mart) }}
        {%- endfor %}
        {{ withdraw_marts(marts | map(attribute='alias') | list) }}
        {{ record_publication(marts | map(attribute='alias') | list) }}
        create or replace table {{ target }} as {{ sql }};
        {{ drop_earlier_tables() }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- The statements that point one view of `marts` at the tables of this build, with the descriptions of its contract. -#}
{% macro publish_view(node) %}
    {%- set columns = columns_of(node).values() | list %}
    {%- set candidate = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) %}
    {%- set mart = api.Relation.create(database=node.database, schema='marts', identifier=node.alias) %}
    {%- set existing = load_relation(mart) %}
    {%- if existing is not none and existing.type == 'table' %}
    drop table {{ mart }};
    {%- endif %}
    {%- if node.config.get('candidate_as') == 'view' %}
    {%- set stored = run_query(
        "select sql from duckdb_views() where database_name = current_database() and schema_name = '" ~ node.schema ~ "' and view_name = '" ~ node.alias ~ "'"
    ).rows[0][0] %}
    create or replace view {{ mart }} as {{ stored[stored.index(' AS ') + 4:] }}
    {%- else %}
    create or replace view {{ mart }} as
    select {{ columns | map(attribute='name') | join(', ') }} from {{ table_of_this_build(candidate) }};
    {%- endif %}
    comment on view {{ mart }} is '{{ node.description | trim | replace("'", "''") }}';
    {%- for column in columns %}
    comment on column {{ mart }}.{{ column.name }} is '{{ column.description | trim | replace("'", "''") }}';
    {%- endfor %}
{% endmacro %}

{#- The marts that an earlier build published and this one does not, with their tables: a mart that a var no longer asks for,
    say that of providers, is gone when the build is published. -#}
{% macro withdraw_marts(published) %}
    {%- set others = run_query(
        "select view_name from duckdb_views() where database_name = current_database() and schema_name = 'marts'"
        ~ " and view_name not in ('" ~ published | join("', '") ~ "')"
        ~ " and regexp_matches(sql, '\\b' || view_name || '__[0-9a-f]{32}\\b')"
    ) %}
    {%- for row in others.rows %}
    drop view marts."{{ row[0] }}";
    drop view if exists candidates."{{ row[0] }}";
        {%- set tables = run_query(
            "select table_name from information_schema.tables where table_catalog = current_database() and table_schema = 'candidates'"
            ~ " and table_type = 'BASE TABLE' and regexp_full_match(table_name, '" ~ row[0] ~ "__[0-9a-f]{32}')"
        ) %}
        {%- for table in tables.rows %}
    drop table candidates."{{ table[0] }}";
        {%- endfor %}
    {%- endfor %}
{% endmacro %}

{#- The tables of all other builds, failed ones too: nothing reads them once the views have moved. -#}
{% macro drop_earlier_tables() %}
    {%- set names = [] %}
    {%- for node in graph.nodes.values() if node.config.materialized == 'candidate' %}
        {%- do names.append(node.schema ~ '.' ~ node.alias) %}
    {%- endfor %}
    {%- set others = run_query(
        "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' and table_catalog = current_database()"
        ~ " and regexp_full_match(table_name, '.+__[0-9a-f]{32}')"
        ~ " and not ends_with(table_name, '__" ~ invocation_id | replace('-', '') ~ "')"
        ~ " and table_schema || '.' || table_name[:-35] in ('" ~ names | join("', '") ~ "')"
    ) %}
    {%- for row in others.rows %}
    drop table if exists {{ row[0] }}."{{ row[1] }}";
    {%- endfor %}
{% endmacro %}

{#- Before the publication: the tables of this build in a file of its own, in a transaction of its own, because DuckDB writes
    one database in a transaction. Detaching the file writes it to its end. The rename follows the publication's commit
    (python/rapport/snapshot.py). -#}
{% macro write_snapshot(marts) %}
    {%- set file = run_query("select coalesce(getvariable('rapport_snapshot'), '')").rows[0][0] %}
    {%- if file %}
    {%- do run_query("attach '" ~ file | replace("'", "''") ~ "' as snapshot (storage_version 'v1.0.0')") %}
    {% call statement('snapshot') -%}
        create schema snapshot.marts;
        {%- for mart in marts %}
        {%- set candidate = api.Relation.create(database=mart.database, schema=mart.schema, identifier=mart.alias) %}
        create table snapshot.marts.{{ mart.alias }} (
            {%- for column in mart.columns.values() %}
            {{ column.name }} {{ column.data_type }}
            {{- ' not null' if column.constraints | selectattr('type', 'equalto', 'not_null') | list }}
            {%- if not loop.last %},{% endif %}
            {%- endfor %}
        );
        insert into snapshot.marts.{{ mart.alias }} by name select * from {{ candidate }};
        comment on table snapshot.marts.{{ mart.alias }} is '{{ mart.description | trim | replace("'", "''") }}';
        {%- for column in mart.columns.values() %}
        comment on column snapshot.marts.{{ mart.alias }}.{{ column.name }} is '{{ column.description | trim | replace("'", "''") }}';
        {%- endfor %}
        {%- endfor %}
        create table snapshot.marts.snapshot as
        select
            regexp_extract(getvariable('rapport_versions'), 'rapport ([^;]+)', 1) as contract_version,
            build_id,
            build_number,
            raw_folder,
            is_synthetic,
            builds.started_at
        from {{ ref('build') }} as build
        inner join ops.builds as builds using (build_id);
        comment on table snapshot.marts.snapshot is 'The build that these tables are of, and the version of their contract.'
    {%- endcall %}
    {%- do adapter.commit() %}
    {%- do run_query('detach snapshot') %}
    {%- endif %}
{% endmacro %}
