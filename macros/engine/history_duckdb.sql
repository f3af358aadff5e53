{#- The history of builds on DuckDB: tables, whose rows a build changes (macros/history.sql). -#}

{% macro default__create_build_history() %}
    create schema if not exists ops;
    create table if not exists ops.builds (
        build_number bigint not null,
        build_id varchar not null,
        started_at timestamp not null,
        ended_at timestamp,
        status varchar not null,
        published_at timestamp,
        input_fingerprint varchar,
        mapping_sha256 varchar,
        input_files map(varchar, bigint),
        published_rows map(varchar, bigint),
        gates map(varchar, varchar),
        node_seconds map(varchar, double),
        versions varchar not null,
        git_revision varchar not null
    );
    create table if not exists ops.part_files (
        build_id varchar not null,
        table_name varchar not null,
        file_name varchar not null,
        bytes bigint,
        sha256 varchar,
        rows bigint not null,
        latest_loaded_at timestamp
    );
    -- Of a table in a schema (var raw_schema) there is no file to hash.
    alter table ops.part_files add column if not exists latest_loaded_at timestamp;
    alter table ops.part_files alter column bytes drop not null;
    alter table ops.part_files alter column sha256 drop not null;
    create table if not exists ops.findings_history (
        build_id varchar not null,
        build_number bigint not null,
        published_at timestamp not null,
        analysis varchar not null,
        term varchar not null
    );
    create table if not exists ops.volumes (
        build_id varchar not null,
        table_name varchar not null,
        measure varchar not null,
        counted bigint not null,
        total bigint not null
    );
    -- What an older version of this project kept.
    drop table if exists ops.loaded_files;
    drop table if exists ops.touched_participants;
    drop table if exists ops.refreshed_tables;
    drop table if exists ops.settled_rules;
    alter table ops.builds drop column if exists is_full_refresh;
    alter table ops.builds drop column if exists erasures;
    alter table ops.builds add column if not exists mapping_sha256 varchar;
    alter table ops.builds add column if not exists study varchar;
    alter table ops.builds add column if not exists study_definition varchar;
    alter table ops.builds add column if not exists overridden_vars map(varchar, varchar);
    {%- if execute %}
    {%- for column in graph.nodes['model.' ~ project_name ~ '.inference_results'].columns.values() %}
    alter table ops.findings_history add column if not exists {{ column.name }} {{ column.data_type }};
    {%- endfor %}
    {%- endif %}
{% endmacro %}

{% macro default__drop_what_is_no_model() %}
    {%- if is_build() %}
    {%- set names = ['raw.part_files', 'raw.export', 'audit.row_faults', 'audit.validation_results'] %}
    {%- for source in graph.sources.values() %}
        {%- do names.append(source.schema ~ '.' ~ source.identifier) %}
    {%- endfor %}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'seed') %}
        {%- do names.append(node.schema ~ '.' ~ node.alias) %}
    {%- endfor %}
    {%- set found = run_query(
        "select case when table_type = 'VIEW' then 'view' else 'table' end, table_schema, table_name"
        ~ " from information_schema.tables where table_catalog = current_database() and table_schema in"
        ~ " ('raw', 'staging', 'quarantine', 'rules', 'candidates', 'statistics', 'inference', 'instruments', 'providers', 'audit', 'pending')"
        ~ " and table_schema || '.' || table_name not in ('" ~ names | join("', '") ~ "')"
        ~ " and not exists (select 1 from duckdb_views() where contains(sql, '__') and contains(sql, table_name)"
        ~ " and (schema_name = 'marts' or schema_name || '.' || view_name in ('" ~ names | join("', '") ~ "')))"
    ) %}
    {%- for row in found.rows %}
    drop {{ row[0] }} {{ row[1] }}."{{ row[2] }}";
    {%- endfor %}
    {%- endif %}
{% endmacro %}

{% macro default__start_build() %}
    {%- if is_build() %}
    {%- do refuse_another_study() %}
    update ops.builds set status = 'interrupted' where status = 'running';
    insert into ops.builds by name
    select
        coalesce(max(build_number), 0) + 1 as build_number,
        '{{ invocation_id }}' as build_id,
        cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp) as started_at,
        'running' as status,
        '{{ study().name }}' as study,
        '{{ tojson(study().definition) | replace("'", "''") }}' as study_definition,
        map {
            {%- for name in study().overridden %}
            '{{ name }}': '{{ var(name) }}'{% if not loop.last %},{% endif %}
            {%- endfor %}
        } as overridden_vars,
        getvariable('rapport_versions') as versions,
        getvariable('rapport_git_revision') as git_revision
    from ops.builds;
    {%- endif %}
{% endmacro %}

{% macro default__record_publication(marts) %}
    insert into ops.findings_history by name
    select
        build_id,
        build_number,
        get_current_timestamp() at time zone 'UTC' as published_at,
        inference_results.*
    from ops.builds
    cross join marts.inference_results
    where build_id = '{{ invocation_id }}';
    insert into ops.volumes by name
    select
        '{{ invocation_id }}' as build_id,
        *
    from ({{ volumes_to_keep() }}) as kept;
    insert into ops.part_files by name
    select
        '{{ invocation_id }}' as build_id,
        table_name,
        file_name,
        bytes,
        sha256,
        rows,
        latest_loaded_at
    from {{ source('raw', 'part_files') }};
    update ops.builds
    set
        status = 'published',
        published_at = get_current_timestamp() at time zone 'UTC',
        published_rows = map {
            {%- for mart in marts %}
            '{{ mart }}': (select count(*) from marts.{{ mart }}){% if not loop.last %},{% endif %}
            {%- endfor %}
        }
    where build_id = '{{ invocation_id }}';
    {{ forget_earlier_figures() }}
{% endmacro %}

{% macro default__end_build(results) %}
    {%- if is_build() %}
    {%- set failed = results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list %}
    {%- set was_read = run_query(
        "select count(*) > 0 from information_schema.tables where table_catalog = current_database() and table_schema = 'raw'"
        ~ " and table_name = 'part_files'"
    ).rows[0][0] %}
    update ops.builds
    set
        ended_at = get_current_timestamp() at time zone 'UTC',
        status = case
            when status = 'published' then status
            when {{ failed | length }} > 0 then 'failed'
            else 'partial'
        end,
        {%- if was_read %}
        mapping_sha256 = (select mapping_sha256 from {{ source('raw', 'export') }}),
        input_fingerprint = (
            select
                sha256(string_agg(
                    table_name || '/' || file_name || '='
                    || coalesce(sha256, rows || ' rows to ' || coalesce(cast(latest_loaded_at as varchar), 'nothing'), ''),
                    chr(10) order by table_name, file_name
                ))
            from {{ source('raw', 'part_files') }} where build_id = '{{ invocation_id }}'
        ),
        input_files = (
            select map_from_entries(list((table_name, files) order by table_name)) from (
                select table_name, count(*) as files from {{ source('raw', 'part_files') }}
                where build_id = '{{ invocation_id }}' group by table_name
            )
        ),
        {%- endif %}
        gates = map {
            {%- for result in results if result.node.name.startswith('gate_') %}
            '{{ result.node.name | replace("gate_", "") }}': '{{ {"success": "open", "error": "closed"}.get(result.status | string, result.status | string) }}'
            {%- if not loop.last %},{% endif %}
            {%- endfor %}
        },
        node_seconds = map {
            {%- for result in results %}
            '{{ result.node.unique_id | replace("'", "''") }}': {{ result.execution_time | round(3) }}
            {%- if not loop.last %},{% endif %}
            {%- endfor %}
        }
    where build_id = '{{ invocation_id }}';
    {{ forget_earlier_verdicts() }}
    {%- endif %}
{% endmacro %}
