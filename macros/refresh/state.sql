{#- What a refresh has to remember from one build to the next. These tables are no models: they change in the very
    transaction that changes the rows they speak of, and no refresh may empty them.

    loaded_files          part files whose rows are in the delivered tables
    touched_participants  participants (or their sessions) whose rows changed and whose facts were not yet recomputed
    refreshed_tables      the definitions by which each incremental table was last built as a whole
    settled_rules         the rules on raw rows that every row kept when touched participants were last recomputed -#}
{% macro create_refresh_state() %}
    create schema if not exists ops;
    create table if not exists ops.loaded_files (
        table_name varchar not null,
        file_name varchar not null,
        bytes bigint not null,
        sha256 varchar not null,
        delivered_rows bigint not null,
        erased_rows bigint not null,
        build_id varchar not null
    );
    create table if not exists ops.touched_participants (
        participant_id varchar,
        session_id varchar,
        is_everyone boolean not null
    );
    create table if not exists ops.refreshed_tables (
        table_name varchar not null,
        definitions varchar not null
    );
    create table if not exists ops.settled_rules (
        table_name varchar not null,
        rule varchar not null
    );
{% endmacro %}

{% macro state_table(name) -%}
    ops.{{ name }}
{%- endmacro %}

{#- The tables of the raw export, in the order in which one refers to another. -#}
{% macro raw_tables() %}
    {{ return(['participants', 'who5_assessments', 'sessions', 'alliance_ratings']) }}
{% endmacro %}

{#- What the incremental tables depend on beside the part files: vars, the SQL and the suites (hashed by the plugin in
    python/rapport/duckdb_plugin.py) and who is to be erased. When any of it changes, they are rebuilt from the files. -#}
{% macro definitions_fingerprint() %}
    {%- set vars = [] %}
    {%- for name in [
        'study_start', 'study_end', 'min_sessions', 'min_followup_days', 'who5_points_per_item', 'home_country',
        'on_bad_rows'
    ] %}
        {%- do vars.append(name ~ '=' ~ var(name)) %}
    {%- endfor %}
    {%- do vars.append('format=' ~ env_var('RAPPORT_RAW_FORMAT', 'parquet')) %}
    {{ return("'" ~ local_md5(vars | join(';')) ~ "' || getvariable('rapport_definitions') || getvariable('rapport_erasures')") }}
{% endmacro %}

{#- 'true' or 'false': whether an incremental table has to be built as a whole. -#}
{% macro must_rebuild(table) %}
    {%- if not execute or flags.FULL_REFRESH %}
        {{ return('true') }}
    {%- endif %}
    {%- set node = (graph.nodes.values() | selectattr('name', 'equalto', table) | list)[0] %}
    {%- if adapter.get_relation(node.database, node.schema, node.alias) is none %}
        {{ return('true') }}
    {%- endif %}
    {%- set known = run_query(
        "select count(*) from information_schema.tables where table_schema = 'ops' and table_name = 'refreshed_tables'"
    ).rows[0][0] %}
    {%- if not known %}
        {{ return('true') }}
    {%- endif %}
    {%- set stale = run_query(
        "select count(*) = 0 from ops.refreshed_tables where table_name = '" ~ table ~ "' and definitions = "
        ~ definitions_fingerprint()
    ).rows[0][0] %}
    {%- set everyone = run_query("select count(*) > 0 from ops.touched_participants where is_everyone").rows[0][0]
        if 'touched' == node.config.incremental_strategy else false %}
    {{ return('true' if stale or everyone else 'false') }}
{% endmacro %}

{#- dbt asks here whether a model is built as a whole: an incremental one also when its definitions changed. -#}
{% macro should_full_refresh() %}
    {%- if model.config.materialized == 'incremental' %}
        {{ return(must_rebuild(model.name) == 'true') }}
    {%- endif %}
    {{ return(flags.FULL_REFRESH if config.get('full_refresh') is none else config.get('full_refresh')) }}
{% endmacro %}

{#- Post-hook of every incremental model: what it was built by. -#}
{% macro remember_definitions() %}
    delete from ops.refreshed_tables where table_name = '{{ model.name }}';
    insert into ops.refreshed_tables
    select '{{ model.name }}' as table_name, {{ definitions_fingerprint() }} as definitions
{% endmacro %}
