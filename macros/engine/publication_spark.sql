{#- The publication on Spark (macros/publication.sql). There is no transaction over several views, and views that are moved one
    by one show a reader a mixture of two builds. So nothing is moved one by one: a view of `marts` reads the tables of the
    build that is published and those of the new one, each where `ops.current_build` names its build. As long as that view
    names the old build they show the old tables. One `create or replace view` of it shows all new tables, and is the way back,
    too: the tables of the build before stay until the next publication, for readers who have begun, and for a roll-back. -#}

{% materialization candidate, adapter='spark' %}
    {%- set view = this.incorporate(type='view') -%}
    {%- do model.update({'columns': columns_of(model)}) %}
    {%- set as_view = config.get('candidate_as') == 'view' %}
    {%- set own = table_of_this_build(this) %}
    {%- set columns = model.columns.values() | list %}
    {%- set typed_names = columns | map(attribute='name') | list %}
    {%- set typed = [] %}
    {%- for column in columns %}
        {%- do typed.append('cast(' ~ column.name ~ ' as ' ~ type_of(column.data_type) ~ ') as ' ~ column.name) %}
    {%- endfor %}
    {%- set required = [] %}
    {%- for column in columns if column.constraints | selectattr('type', 'equalto', 'not_null') | list %}
        {%- do required.append(column.name) %}
    {%- endfor %}
    {%- set bound = bound_to_this_build(sql, model) if as_view else sql %}

    {{ run_hooks(pre_hooks) }}
    {%- do spark__require_columns(this.identifier, bound, columns) %}
    {% call statement('main') -%}
        create {{ 'or replace view ' ~ own if as_view else 'table ' ~ own ~ ' using parquet' }} as
        {#- Tables without people are small, and one file keeps the order of their rows. #}
        select {{ '/*+ coalesce(1) */ ' if not as_view and 'participant_id' not in typed_names }}{{ typed | join(', ') }} from (
            {{ bound }}
        ) as candidate
    {%- endcall %}
    {%- if required %}
        {%- set missing = run_query(
            'select count(*) - count(' ~ required | join('), count(*) - count(') ~ ') from ' ~ own
        ).rows[0] %}
        {%- for name in required %}
            {%- if missing[loop.index0] > 0 %}
                {%- do exceptions.raise_compiler_error(
                    this.identifier ~ ': a column that its contract calls not null is null: ' ~ name ~ ', in '
                    ~ missing[loop.index0] ~ ' rows'
                ) %}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {%- do run_query('create or replace view ' ~ view ~ ' as select * from ' ~ own) %}
    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [view]}) }}
{% endmaterialization %}

{#- The columns of a query are those of the contract, in values of the same kind. Whole numbers are cast to the contract's
    width: how wide a count or a number of days is differs between engines. -#}
{% macro spark__require_columns(name, sql, columns) %}
    {%- set kinds = {'tinyint': 'bigint', 'smallint': 'bigint', 'int': 'bigint'} %}
    {%- set found = {} %}
    {%- for row in run_query('describe query ' ~ sql).rows %}
        {%- do found.update({row[0]: kinds.get(row[1], row[1])}) %}
    {%- endfor %}
    {%- set wrong = [] %}
    {%- for column in columns %}
        {%- set type = type_of(column.data_type) %}
        {%- if found.get(column.name) != kinds.get(type, type) %}
            {%- do wrong.append(column.name ~ ' is ' ~ found.get(column.name, 'missing') ~ ', its contract says ' ~ type) %}
        {%- endif %}
    {%- endfor %}
    {%- set known = columns | map(attribute='name') | list %}
    {%- for column in found if column not in known %}
        {%- do wrong.append(column ~ ' is not in the contract') %}
    {%- endfor %}
    {%- if wrong %}
        {%- do exceptions.raise_compiler_error(name ~ ' does not keep its contract: ' ~ wrong | join('; ')) %}
    {%- endif %}
{% endmacro %}

{% materialization publication, adapter='spark' %}
    {%- do require_whole_build(model) -%}
    {%- set target = this.incorporate(type='view') -%}
    {%- set marts = [] %}
    {%- for unique_id in model.depends_on.nodes if graph.nodes[unique_id].config.materialized == 'candidate' %}
        {%- do marts.append(graph.nodes[unique_id]) %}
    {%- endfor %}
    {%- set new = spark__build_suffix() %}
    {%- set old = run_query('select build_id from ops.current_build').rows[0][0] %}
    {%- set old_suffix = (old or '') | replace('-', '') %}

    {{ run_hooks(pre_hooks) }}
    {%- do spark__write_snapshot(served_marts(marts)) -%}
    {%- do run_query('create table ' ~ table_of_this_build(this) ~ ' using parquet as ' ~ sql) %}
    {%- do record_publication(marts) %}
    {%- set moved = [] %}
    {%- set shown = names_in('marts') + names_in(this.schema) %}
    {%- set there = names_in('candidates') + names_in(this.schema) %}
    {%- for mart in marts + [none] %}
        {%- set view = 'marts.' ~ mart.alias if mart else target | string %}
        {%- set candidate = mart.schema ~ '.' ~ mart.alias if mart else this.schema ~ '.' ~ this.identifier %}
        {%- if spark__prepare_mart(view, candidate, mart, old, old_suffix, new, shown, there) %}
            {%- do moved.append((view, candidate, mart)) %}
        {%- endif %}
    {%- endfor %}
    {% call statement('main') -%}
        create or replace view ops.current_build as
        select
            '{{ invocation_id }}' as build_id,
            cast({{ run_query("select build_number from ops.builds where build_id = '" ~ invocation_id ~ "'").rows[0][0] }} as bigint) as build_number,
            {{ "'" ~ old ~ "'" if old else 'cast(null as string)' }} as build_before
    {%- endcall %}
    {%- do adapter.marts_have_moved() %}
    {%- set forgets = lists_erasures() %}
    {#- Behind the switch: columns that the contract has changed, and what no reader needs any more. #}
    {%- if forgets %}
        {%- for mart in marts %}
            {%- do spark__show_mart('marts.' ~ mart.alias, mart, [mart.schema ~ '.' ~ mart.alias ~ '__' ~ new], [invocation_id]) %}
        {%- endfor %}
        {%- do spark__show_mart(target | string, none, [this ~ '__' ~ new], [invocation_id]) %}
    {%- else %}
        {%- for view, candidate, mart in moved %}
            {%- do spark__show_mart(view, mart, [candidate ~ '__' ~ new], [invocation_id]) %}
        {%- endfor %}
    {%- endif %}
    {#- A mart that a var no longer asks for, say that of providers, is gone with its tables. The view is the last to go: it
        tells the next build what one that was killed here has left. #}
    {%- set published = marts | map(attribute='alias') | list %}
    {%- for name in names_in('marts') if name not in published and name ~ '__' in run_query('show create table marts.' ~ name).rows[0][0] %}
        {%- for table in names_in('candidates') if table == name or modules.re.fullmatch(name ~ '__[0-9a-f]{32}', table) %}
            {%- do spark__drop('candidates', table) %}
        {%- endfor %}
        {%- do spark__drop('marts', name) %}
    {%- endfor %}
    {%- do spark__drop_earlier_tables([new] if forgets else [new, old_suffix]) %}
    {%- do forget_earlier_figures() %}
    {%- if forgets %}{% do adapter.erase_lines() %}{% endif %}
    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- Let a view show the old tables as it does, and the new ones as soon as `ops.current_build` names them. Returns whether the
    view keeps its old columns until then, because the contract has changed. -#}
{% macro spark__prepare_mart(view, candidate, mart, old, old_suffix, new, shown, there) %}
    {%- set new_table = candidate ~ '__' ~ new %}
    {%- set old_table = candidate ~ '__' ~ old_suffix %}
    {%- if not old or view.split('.')[1] not in shown or old_table.split('.')[1] not in there %}
        {%- do spark__show_mart(view, mart, [new_table], [invocation_id]) %}
        {{ return(false) }}
    {%- endif %}
    {%- set before, after = {}, {} %}
    {%- for row in run_query('describe ' ~ old_table).rows %}{% do before.update({row[0]: row[1]}) %}{% endfor %}
    {%- if mart %}
        {%- for column in columns_of(mart).values() %}{% do after.update({column.name: type_of(column.data_type)}) %}{% endfor %}
    {%- else %}
        {%- do after.update(before) %}
    {%- endif %}
    {%- if before == after and before.keys() | list == after.keys() | list %}
        {%- do spark__show_mart(view, mart, [old_table, new_table], [old, invocation_id]) %}
        {{ return(false) }}
    {%- endif %}
    {%- set of_old, of_new = [], [] %}
    {%- for column, type in before.items() %}
        {%- do of_old.append(column) %}
        {%- do of_new.append(('try_cast(' ~ column ~ ' as ' ~ type ~ ')' if column in after else 'cast(null as ' ~ type ~ ')') ~ ' as ' ~ column) %}
    {%- endfor %}
    {%- do run_query(
        'create or replace view ' ~ view ~ ' as ' ~ spark__rows_of_build(old_table, of_old, old)
        ~ ' union all ' ~ spark__rows_of_build(new_table, of_new, invocation_id)
    ) %}
    {{ return(true) }}
{% endmacro %}

{% macro spark__rows_of_build(table, columns, build) -%}
    select {{ columns | join(', ') }} from {{ table }} where (select build_id from ops.current_build) = '{{ build }}'
{%- endmacro %}

{#- A view of `marts` on the tables of some builds, with the descriptions of its contract; `mart` none: the model itself. -#}
{% macro spark__show_mart(view, mart, tables, builds) %}
    {%- set names, described = [], [] %}
    {%- if mart %}
        {%- for column in columns_of(mart).values() %}
            {%- do names.append(column.name) %}
            {#- A metastore keeps 256 characters. Given more it tries for 20 seconds, and then keeps another form of the view. #}
            {%- set comment = column.description | trim | truncate(255, False, '…', 0) %}
            {%- do described.append(column.name ~ ' comment ' ~ text_literal(comment)) %}
        {%- endfor %}
    {%- else %}
        {%- do names.append('*') %}
    {%- endif %}
    {%- set arms = [] %}
    {%- for table in tables %}{% do arms.append(spark__rows_of_build(table, names, builds[loop.index0])) %}{% endfor %}
    {%- do run_query(
        'create or replace view ' ~ view
        ~ (' (' ~ described | join(', ') ~ ') comment ' ~ text_literal(mart.description | trim) if mart else '')
        ~ ' as ' ~ arms | join(' union all ')
    ) %}
{% endmacro %}

{#- The tables of all builds but those whose suffixes are given, failed ones too. -#}
{% macro spark__drop_earlier_tables(kept) %}
    {%- set names, schemas = ['audit.publish'], ['audit'] %}
    {%- for node in graph.nodes.values() if node.config.materialized == 'candidate' %}
        {%- do names.append(node.schema ~ '.' ~ node.alias) %}
        {%- do schemas.append(node.schema) %}
    {%- endfor %}
    {%- for schema in schemas | unique %}
        {%- for name in names_in(schema) if modules.re.fullmatch('.+__[0-9a-f]{32}', name) %}
            {%- if schema ~ '.' ~ name[:-34] in names and name[-32:] not in kept %}
                {%- do spark__drop(schema, name) %}
            {%- endif %}
        {%- endfor %}
    {%- endfor %}
{% endmacro %}

{#- The snapshot is a file of DuckDB's on this machine whatever the engine (python/rapport/spark/snapshot.py). -#}
{% macro spark__write_snapshot(marts) %}
    {%- set file = adapter.snapshot_place() %}
    {%- if file %}
    {%- set described = [] %}
    {%- for mart in marts %}
        {%- set columns = [] %}
        {%- for column in mart.columns.values() %}
            {%- do columns.append({
                'name': column.name, 'data_type': column.data_type, 'description': column.description | trim,
                'not_null': column.constraints | selectattr('type', 'equalto', 'not_null') | list | length > 0,
            }) %}
        {%- endfor %}
        {%- do described.append({
            'name': mart.alias, 'relation': mart.schema ~ '.' ~ mart.alias, 'description': mart.description | trim,
            'columns': columns,
        }) %}
    {%- endfor %}
    {%- set build = run_query(
        'select build.raw_folder, build.is_synthetic, builds.build_number, cast(builds.started_at as string) from ' ~ ref('build')
        ~ ' as build inner join ops.builds as builds on build.build_id = builds.build_id'
    ).rows[0] %}
    {%- do adapter.write_snapshot(file, described, {
        'contract_version': modules.re.search('rapport ([^;]+)', adapter.versions()).group(1),
        'build_id': invocation_id, 'build_number': build[2], 'raw_folder': build[0], 'is_synthetic': build[1],
        'started_at': build[3],
    }) %}
    {%- endif %}
{% endmacro %}
