{#- The history of builds. No models: a row has to be there before the first model can fail, and no refresh may empty it.

    ops.builds            one row per build, failed and interrupted ones included
    ops.findings_history  marts.inference_results as each build published it
    ops.volumes           the counts and shares of each published build that the next one is compared with -#}
{% macro create_build_history() %}
    create schema if not exists ops;
    create table if not exists ops.builds (
        build_number bigint not null,
        build_id varchar not null,
        started_at timestamp not null,
        ended_at timestamp,
        status varchar not null,
        published_at timestamp,
        is_full_refresh boolean not null,
        input_fingerprint varchar,
        input_files map(varchar, bigint),
        published_rows map(varchar, bigint),
        gates map(varchar, varchar),
        node_seconds map(varchar, double),
        versions varchar not null,
        git_revision varchar not null,
        erasures varchar not null
    );
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
    {%- if execute %}
    {%- for column in graph.nodes['model.' ~ project_name ~ '.inference_results'].columns.values() %}
    alter table ops.findings_history add column if not exists {{ column.name }} {{ column.data_type }};
    {%- endfor %}
    {%- endif %}
{% endmacro %}

{#- Whether this command builds: `dbt show` or `dbt test` is no build. -#}
{% macro is_build() %}
    {{ return(execute and flags.WHICH in ('build', 'run')) }}
{% endmacro %}

{#- Verdicts name example keys. When somebody is to be erased, those of all earlier builds are forgotten. -#}
{% macro forget_keys_of_the_erased() %}
    {%- if is_build() %}
    update audit.validation_results set sample_keys = null, detail = null
    where
        (sample_keys is not null or detail is not null)
        and not exists (
            select 1 from ops.builds
            where builds.build_id = validation_results.build_id and erasures = getvariable('rapport_erasures')
        );
    {%- endif %}
{% endmacro %}

{#- A build that is still called running was killed: only one can hold the database. -#}
{% macro start_build() %}
    {%- if is_build() %}
    update ops.builds set status = 'interrupted' where status = 'running';
    insert into ops.builds by name
    select
        coalesce(max(build_number), 0) + 1 as build_number,
        '{{ invocation_id }}' as build_id,
        cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp) as started_at,
        'running' as status,
        {{ flags.FULL_REFRESH or false }} as is_full_refresh,
        getvariable('rapport_versions') as versions,
        getvariable('rapport_git_revision') as git_revision,
        getvariable('rapport_erasures') as erasures
    from ops.builds;
    {%- endif %}
{% endmacro %}

{#- Part of the publication's transaction: what is in marts and what history says of it cannot come apart. -#}
{% macro record_publication(tables) %}
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
        table_name,
        measure,
        counted,
        total
    from {{ ref('volumes') }};
    update ops.builds
    set
        status = 'published',
        published_at = get_current_timestamp() at time zone 'UTC',
        published_rows = map {
            {%- for table in tables %}
            '{{ table }}': (select count(*) from marts.{{ table }}){% if not loop.last %},{% endif %}
            {%- endfor %}
        }
    where build_id = '{{ invocation_id }}';
{% endmacro %}

{% macro end_build(results) %}
    {%- set part_files = adapter.get_relation(target.database, 'raw', 'part_files') %}
    {%- if is_build() %}
    {%- set failed = results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list %}
    update ops.builds
    set
        ended_at = get_current_timestamp() at time zone 'UTC',
        status = case
            when status = 'published' then status
            when {{ failed | length }} > 0 then 'failed'
            else 'partial'
        end,
        {%- if part_files is not none %}
        input_fingerprint = (
            select sha256(string_agg(table_name || '/' || file_name || '=' || coalesce(sha256, ''), chr(10) order by table_name, file_name))
            from {{ part_files }} where build_id = '{{ invocation_id }}'
        ),
        input_files = (
            select map_from_entries(list((table_name, files) order by table_name)) from (
                select table_name, count(*) as files from {{ part_files }}
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
    {%- endif %}
{% endmacro %}
