{#- The history of builds on Spark (macros/history.sql). Parquet tables know neither update nor delete nor a transaction over
    several tables, so a build appends events, and views of the same names and columns as on DuckDB fold them.

    Whether a build was published no event says: a build is published when `ops.current_build` names it, or when a later
    event has seen that it did. So the marts and what history says of them change with the same statement. -#}

{#- The views of the history: of each its append-only table, that table's columns, and the query that folds it. -#}
{% macro spark__histories() %}
    {%- set findings = {} %}
    {%- if execute %}
        {%- for column in graph.nodes['model.' ~ project_name ~ '.inference_results'].columns.values() %}
            {%- do findings.update({column.name: type_of(column.data_type)}) %}
        {%- endfor %}
    {%- endif %}
    {%- set published = 'select build_id from ops.builds where published_at is not null' %}
    {{ return({
        'ops.builds': {
            'table': 'ops.history_builds',
            'columns': {
                'build_id': 'string', 'event': 'string', 'event_at': 'timestamp_ntz', 'marts_of': 'string',
                'build_number': 'bigint', 'started_at': 'timestamp_ntz', 'ended_at': 'timestamp_ntz', 'status': 'string',
                'prepared_at': 'timestamp_ntz', 'input_fingerprint': 'string', 'mapping_sha256': 'string',
                'input_files': 'map<string, bigint>', 'published_rows': 'map<string, bigint>',
                'gates': 'map<string, string>', 'node_seconds': 'map<string, double>', 'versions': 'string',
                'git_revision': 'string', 'study': 'string', 'study_definition': 'string',
                'overridden_vars': 'map<string, string>',
            },
            'query': "
                with seen as (
                    select build_id from ops.current_build where build_id is not null
                    union
                    select marts_of as build_id from {table} where marts_of is not null
                ),
                folded as (
                    select
                        build_id,
                        max(build_number) as build_number,
                        max(started_at) as started_at,
                        max(ended_at) as ended_at,
                        max_by(status, event_at) filter (where status is not null) as status,
                        max(prepared_at) as prepared_at,
                        max(input_fingerprint) as input_fingerprint,
                        max(mapping_sha256) as mapping_sha256,
                        first(input_files, true) as input_files,
                        first(published_rows, true) as published_rows,
                        first(gates, true) as gates,
                        first(node_seconds, true) as node_seconds,
                        max(versions) as versions,
                        max(git_revision) as git_revision,
                        max(study) as study,
                        max(study_definition) as study_definition,
                        first(overridden_vars, true) as overridden_vars
                    from {table}
                    group by build_id
                )
                select
                    folded.build_number,
                    folded.build_id,
                    folded.started_at,
                    folded.ended_at,
                    case when seen.build_id is null then folded.status else 'published' end as status,
                    case when seen.build_id is not null then folded.prepared_at end as published_at,
                    folded.input_fingerprint,
                    folded.mapping_sha256,
                    folded.input_files,
                    case when seen.build_id is not null then folded.published_rows end as published_rows,
                    folded.gates,
                    folded.node_seconds,
                    folded.versions,
                    folded.git_revision,
                    folded.study,
                    folded.study_definition,
                    folded.overridden_vars
                from folded
                left join seen on folded.build_id = seen.build_id",
        },
        'ops.part_files': {
            'table': 'ops.history_part_files',
            'columns': {
                'build_id': 'string', 'table_name': 'string', 'file_name': 'string', 'bytes': 'bigint', 'sha256': 'string',
                'rows': 'bigint', 'latest_loaded_at': 'timestamp_ntz',
            },
            'query': 'select * from {table} where build_id in (' ~ published ~ ')',
        },
        'ops.findings_history': {
            'table': 'ops.history_findings',
            'columns': dict({
                'build_id': 'string', 'build_number': 'bigint', 'published_at': 'timestamp_ntz', 'analysis': 'string',
                'term': 'string',
            }, **findings),
            'query': 'select * from {table} where build_id in (' ~ published ~ ')',
        },
        'ops.volumes': {
            'table': 'ops.history_volumes',
            'columns': {
                'build_id': 'string', 'table_name': 'string', 'measure': 'string', 'counted': 'bigint', 'total': 'bigint',
            },
            'query': 'select * from {table} where build_id in (' ~ published ~ ')',
        },
        'audit.validation_results': {
            'table': 'audit.history_verdicts',
            'columns': {
                'build_id': 'string', 'layer': 'string', 'table_name': 'string', 'rule': 'string', 'severity': 'string',
                'passed': 'boolean', 'evaluated': 'bigint', 'unexpected': 'bigint', 'sample_keys': 'string',
                'detail': 'string', 'expectation': 'string', 'validated_at': 'timestamp_ntz',
            },
            'query': 'select * from {table}',
        },
    }) }}
{% endmacro %}

{#- The append-only table that a view of the history reads at the moment. -#}
{% macro spark__table_of_history(view) %}
    {%- set text = run_query('show create table ' ~ view).rows[0][0] %}
    {{ return(modules.re.search('\\w+\\.history_\\w+', text).group(0)) }}
{% endmacro %}

{% macro spark__kind_of_history(view) %}
    {{ return('history ' ~ local_md5(spark__histories()[view] | string)) }}
{% endmacro %}

{% macro spark__show_history(view, table) %}
    {%- do run_query(
        'create or replace view ' ~ view ~ " comment '" ~ spark__kind_of_history(view) ~ "' as " ~ spark__histories()[view].query | replace('{table}', table)
    ) %}
{% endmacro %}

{#- Keep of a history what `columns` say (SQL by name; the others stay) of the rows where `condition` holds: a new table is
    written, one statement lets the view read it, and the old one goes. -#}
{% macro spark__rewrite_history(view, columns={}, condition='true') %}
    {%- set old = spark__table_of_history(view) %}
    {%- set new = spark__histories()[view].table ~ '__' ~ invocation_id | replace('-', '') %}
    {%- set kept = [] %}
    {%- for name in spark__histories()[view].columns %}
        {%- do kept.append((columns[name] ~ ' as ' if name in columns else '') ~ name) %}
    {%- endfor %}
    {%- do run_query(
        'create table ' ~ new ~ ' using parquet as select ' ~ kept | join(', ') ~ ' from ' ~ old ~ ' as history where ' ~ condition
    ) %}
    {%- do spark__show_history(view, new) %}
    {%- do run_query('drop table ' ~ old ~ ' purge') %}
{% endmacro %}

{% macro spark__append(view, query) %}
    {%- do run_query('insert into ' ~ spark__table_of_history(view) ~ ' by name ' ~ query) %}
{% endmacro %}

{% macro spark__create_build_history() %}
    {%- if execute %}
    {%- set schemas = run_query('show schemas').columns[0].values() %}
    {%- for schema in ['ops', 'audit', 'raw', 'marts', 'candidates', 'rules'] if schema not in schemas %}
        {%- do run_query('create schema if not exists ' ~ schema) %}
    {%- endfor %}
    {%- set there = names_in('ops') + names_in('audit') %}
    {%- if 'current_build' not in there %}
        {%- do run_query(
            'create view ops.current_build as select cast(null as string) as build_id,'
            ~ ' cast(null as bigint) as build_number, cast(null as string) as build_before'
        ) %}
    {%- endif %}
    {%- for view, history in spark__histories().items() %}
        {%- set text = run_query('show create table ' ~ view).rows[0][0] if view.split('.')[1] in there else '' %}
        {%- set table = modules.re.search('\\w+\\.history_\\w+', text).group(0) if text else history.table %}
        {#- The view says by its comment which columns and which query it is of. #}
        {%- if spark__kind_of_history(view) not in text %}
        {%- set declared = [] %}
        {%- for name, type in history.columns.items() %}{% do declared.append(name ~ ' ' ~ type) %}{% endfor %}
        {%- do run_query('create table if not exists ' ~ table ~ ' (' ~ declared | join(', ') ~ ') using parquet') %}
        {%- set known = run_query('show columns in ' ~ table).columns[0].values() | list %}
        {%- for name, type in history.columns.items() if name not in known %}
            {%- do run_query('alter table ' ~ table ~ ' add columns (' ~ name ~ ' ' ~ type ~ ')') %}
        {%- endfor %}
        {%- do spark__show_history(view, table) %}
        {%- endif %}
    {%- endfor %}
    {%- endif %}
    {{ return('') }}
{% endmacro %}

{#- Part of create_build_history: the verdicts are a history like the others. -#}
{% macro spark__create_validation_results() %}
    {{ return('') }}
{% endmacro %}

{% macro spark__keep_verdicts() %}
    {%- if execute %}
        {%- do spark__append('audit.validation_results', 'select * from ' ~ this) %}
    {%- endif %}
    {{ return('') }}
{% endmacro %}

{% macro spark__drop_what_is_no_model() %}
    {%- if is_build() %}
    {%- set names = ['raw.part_files', 'raw.export', 'audit.row_faults', 'audit.publish'] %}
    {%- for view, history in spark__histories().items() %}
        {%- do names.extend([view, spark__table_of_history(view)]) %}
    {%- endfor %}
    {%- for source in graph.sources.values() %}
        {%- do names.append(source.schema ~ '.' ~ source.identifier) %}
    {%- endfor %}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'seed') %}
        {%- do names.append(node.schema ~ '.' ~ node.alias) %}
    {%- endfor %}
    {%- set published = [] %}
    {%- for build in run_query('select build_id, build_before from ops.current_build').rows[0] if build %}
        {%- do published.append(build | replace('-', '')) %}
    {%- endfor %}
    {%- set schemas = run_query('show schemas').columns[0].values() %}
    {%- for schema in [
        'raw', 'staging', 'quarantine', 'rules', 'candidates', 'statistics', 'inference', 'instruments', 'providers', 'audit', 'ops'
    ] if schema in schemas %}
        {%- for name in names_in(schema) %}
            {%- set build = name.rpartition('__')[2] %}
            {%- set is_published = build in published %}
            {%- set is_of_history = schema == 'ops' and not name.startswith('history_') %}
            {%- if schema ~ '.' ~ name not in names and not is_published and not is_of_history %}
                {%- do spark__drop(schema, name) %}
            {%- endif %}
        {%- endfor %}
    {%- endfor %}
    {%- endif %}
    {{ return('') }}
{% endmacro %}

{#- The id of this build as tables and the pointer have it. -#}
{% macro spark__build_suffix() %}
    {{ return(invocation_id | replace('-', '')) }}
{% endmacro %}

{#- One build at a time. The metastore in a folder is held by one process; one that several processes share has a view that
    only one of them can make. -#}
{% macro spark__hold_the_warehouse() %}
    {%- if is_build() and adapter.shares_metastore() %}
    {%- do run_query('create schema if not exists ops') %}
    {%- set holder = spark__holder() %}
    {%- if holder %}
        {%- if holder[0] != env_var('RAPPORT_TAKE_OVER', '') %}
            {%- do exceptions.raise_compiler_error(
                'build ' ~ holder[0] ~ ', begun at ' ~ holder[1] ~ ' UTC, has not ended; nothing was changed. Wait for it; if it was'
                ~ ' killed, RAPPORT_TAKE_OVER=' ~ holder[0] ~ ' lets this build take its place'
            ) %}
        {%- endif %}
        {%- do run_query('drop view ops.build_in_progress') %}
    {%- endif %}
    {%- do run_query(
        "create view ops.build_in_progress as select '" ~ invocation_id ~ "' as build_id, " ~ text_literal(run_started_at.strftime("%Y-%m-%d %H:%M:%S"))
        ~ ' as started_at'
    ) %}
    {%- endif %}
    {{ return('') }}
{% endmacro %}

{#- The build that holds a shared metastore, and since when; none if nobody does. -#}
{% macro spark__holder() %}
    {%- if 'build_in_progress' in names_in('ops') %}
        {{ return(run_query('select build_id, started_at from ops.build_in_progress').rows[0]) }}
    {%- endif %}
    {{ return(none) }}
{% endmacro %}

{#- Whether this command's build may write: one that was refused has begun nothing, and ends nothing. -#}
{% macro spark__holds_the_warehouse() %}
    {%- if not adapter.shares_metastore() %}
        {{ return(true) }}
    {%- endif %}
    {%- set holder = spark__holder() %}
    {{ return(holder is not none and holder[0] == invocation_id) }}
{% endmacro %}

{% macro spark__start_build() %}
    {%- if is_build() %}
    {%- do refuse_another_study() %}
    {%- do spark__append('ops.builds',
        "select build_id, 'interrupted' as event, " ~ utc_now() ~ " as event_at, 'interrupted' as status"
        ~ " from ops.builds where status = 'running'"
    ) %}
    {%- set overridden = {} %}
    {%- for name in study().overridden %}{% do overridden.update({name: text_literal(var(name))}) %}{% endfor %}
    {%- do spark__append('ops.builds',
        "select '" ~ invocation_id ~ "' as build_id, 'started' as event, " ~ utc_now() ~ " as event_at,"
        ~ " (select build_id from ops.current_build) as marts_of,"
        ~ " coalesce(max(build_number), 0) + 1 as build_number,"
        ~ " timestamp_ntz '" ~ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") ~ "' as started_at, 'running' as status,"
        ~ " " ~ text_literal(study().name) ~ " as study, " ~ text_literal(tojson(study().definition)) ~ " as study_definition,"
        ~ " " ~ map_of(overridden, 'string') ~ " as overridden_vars, " ~ text_literal(adapter.versions()) ~ " as versions,"
        ~ " " ~ text_literal(adapter.git_revision()) ~ " as git_revision from ops.builds"
    ) %}
    {%- do adapter.prepare_snapshot(run_query('select build_id from ops.current_build').rows[0][0] or '') %}
    {%- endif %}
    {{ return('') }}
{% endmacro %}

{#- Before the pointer moves: what history will say of this build once it has. -#}
{% macro spark__record_publication(marts) %}
    {%- do spark__append('ops.findings_history',
        'select builds.build_id, builds.build_number, ' ~ utc_now() ~ ' as published_at, findings.*'
        ~ ' from ops.builds as builds cross join ' ~ ref('inference_results') ~ " as findings where builds.build_id = '" ~ invocation_id ~ "'"
    ) %}
    {%- do spark__append('ops.volumes',
        "select '" ~ invocation_id ~ "' as build_id, kept.* from (" ~ volumes_to_keep() ~ ') as kept'
    ) %}
    {%- do spark__append('ops.part_files',
        "select '" ~ invocation_id ~ "' as build_id, table_name, file_name, bytes, sha256, rows, latest_loaded_at from "
        ~ source('raw', 'part_files')
    ) %}
    {%- set counts = {} %}
    {%- for mart in marts %}{% do counts.update({mart.alias: '(select count(*) from ' ~ mart.schema ~ '.' ~ mart.alias ~ ')'}) %}{% endfor %}
    {%- do spark__append('ops.builds',
        "select '" ~ invocation_id ~ "' as build_id, 'prepared' as event, " ~ utc_now() ~ " as event_at, " ~ utc_now()
        ~ " as prepared_at, " ~ map_of(counts, 'bigint') ~ " as published_rows"
    ) %}
{% endmacro %}

{% macro spark__end_build(results) %}
    {%- if is_build() and spark__holds_the_warehouse() %}
    {%- set failed = results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list %}
    {%- set read = names_in('raw') %}
    {%- set was_read = 'part_files' in read and 'export' in read %}
    {%- set gates = {} %}
    {%- for result in results if result.node.name.startswith('gate_') %}
        {%- do gates.update({result.node.name | replace('gate_', ''): text_literal(
            {'success': 'open', 'error': 'closed'}.get(result.status | string, result.status | string)
        )}) %}
    {%- endfor %}
    {%- set seconds = {} %}
    {%- for result in results %}{% do seconds.update({result.node.unique_id: result.execution_time | round(3)}) %}{% endfor %}
    {%- set of_this_build = ' from ' ~ source('raw', 'part_files') ~ " where build_id = '" ~ invocation_id ~ "'" %}
    {%- do spark__append('ops.builds',
        "select '" ~ invocation_id ~ "' as build_id, 'ended' as event, " ~ utc_now() ~ " as event_at, " ~ utc_now() ~ " as ended_at,"
        ~ " (select build_id from ops.current_build) as marts_of, '" ~ ('failed' if failed else 'partial') ~ "' as status, "
        ~ map_of(gates, 'string') ~ " as gates, " ~ map_of(seconds, 'double') ~ " as node_seconds"
        ~ (
            ", (select max(mapping_sha256) from " ~ source('raw', 'export') ~ ") as mapping_sha256,"
            ~ " (select sha2(listagg(concat(table_name, '/', file_name, '=', coalesce(sha256, concat(rows, ' rows to ', coalesce(cast(latest_loaded_at as string), 'nothing')), '')), chr(10))"
            ~ " within group (order by table_name, file_name), 256)" ~ of_this_build ~ ") as input_fingerprint,"
            ~ " (select map_from_entries(array_sort(collect_list(struct(table_name, files)))) from"
            ~ " (select table_name, count(*) as files" ~ of_this_build ~ " group by table_name)) as input_files"
            if was_read else ''
        )
    ) %}
    {%- do forget_earlier_verdicts() %}
    {%- if run_query('select build_id from ops.current_build').rows[0][0] == invocation_id %}
        {%- do adapter.write_publication() %}
    {%- endif %}
    {%- if adapter.shares_metastore() %}
        {%- do run_query('drop view if exists ops.build_in_progress') %}
    {%- endif %}
    {%- endif %}
    {{ return('') }}
{% endmacro %}

{#- Parquet files of a table that has been rewritten are removed with it: nothing of what was forgotten is left. -#}
{% macro spark__forget_earlier_verdicts() %}
    {%- if lists_erasures() %}
        {%- set kept = {} %}
        {%- for name in ['sample_keys', 'detail', 'evaluated', 'unexpected'] %}
            {%- do kept.update({name: "case when build_id = '" ~ invocation_id ~ "' then " ~ name ~ ' end'}) %}
        {%- endfor %}
        {%- do spark__rewrite_history('audit.validation_results', kept) %}
    {%- endif %}
    {{ return('') }}
{% endmacro %}

{% macro spark__forget_earlier_figures() %}
    {%- if lists_erasures() %}
        {%- do spark__rewrite_history('ops.volumes', condition="build_id = '" ~ invocation_id ~ "'") %}
        {%- do spark__rewrite_history(
            'ops.builds', {'published_rows': "case when build_id = '" ~ invocation_id ~ "' then published_rows end"}
        ) %}
        {%- do spark__rewrite_history('ops.findings_history', condition=spark__findings_that_stay(var('min_cell'))) %}
    {%- endif %}
{% endmacro %}

{#- The rule of macros/forget_findings.sql: from the newest to the oldest, each row against all that stay. -#}
{% macro spark__findings_that_stay(min_cell) -%}
    {%- set compared = [] %}
    {%- for name in spark__histories()['ops.findings_history'].columns if name not in ('build_id', 'build_number', 'published_at') %}
        {%- do compared.append(name) %}
    {%- endfor %}
    exists (
        select 1
        from (
            select analysis, term, explode(aggregate(
                reverse(array_sort(collect_list(struct(build_number, people, content)))),
                cast(array() as array<struct<build_number: bigint, people: bigint, content: string>>),
                (kept, figure) -> case
                    when exists(
                        kept, other -> other.content <> figure.content and abs(other.people - figure.people) < {{ min_cell }}
                    ) then kept
                    else concat(kept, array(figure))
                end
            )) as kept
            from (
                select
                    build_number,
                    analysis,
                    term,
                    coalesce(n, 0) as people,
                    md5(to_json(struct({{ compared | join(', ') }}))) as content
                from {{ spark__table_of_history('ops.findings_history') }}
            ) as figures
            group by analysis, term
        ) as staying
        where
            staying.analysis = history.analysis
            and staying.term = history.term
            and staying.kept.build_number = history.build_number
    )
{%- endmacro %}
