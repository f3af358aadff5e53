{#- The history of builds. No models: a row has to be there before the first model can fail, and no build may empty it.

    ops.builds            one row per build, failed and interrupted ones included
    ops.part_files        the part files of each published build, with size, hash and rows; of tables in a schema their
                          rows and latest loaded_at
    ops.findings_history  marts.inference_results as each build published it
    ops.volumes           the counts and shares of each published build that the next one is compared with

    History is never an input of a result: a build is a function of the files and the study's definition. -#}
{% macro create_build_history() %}
    {{ return(adapter.dispatch('create_build_history', 'rapport')()) }}
{% endmacro %}

{#- Whether this command builds: `dbt show` or `dbt test` is no build. -#}
{% macro is_build() %}
    {{ return(execute and flags.WHICH in ('build', 'run')) }}
{% endmacro %}

{#- Tables and views of this project's schemas that are no model of it: what another version left, and tables of earlier
    builds that no view reads. None of them may outlive its use, least of all rows of participants. -#}
{% macro drop_what_is_no_model() %}
    {{ return(adapter.dispatch('drop_what_is_no_model', 'rapport')()) }}
{% endmacro %}

{#- Keeps other builds out for as long as this one runs. DuckDB's file and Spark's folder do so by themselves. -#}
{% macro hold_the_warehouse() %}
    {{ return(adapter.dispatch('hold_the_warehouse', 'rapport')()) }}
{% endmacro %}

{% macro default__hold_the_warehouse() %}
{% endmacro %}

{#- A database holds one study: its marts, and what its builds are compared with. -#}
{% macro refuse_another_study() %}
    {%- set last = run_query(
        "select max_by(study, build_number) from ops.builds where published_at is not null and study is not null"
    ).rows[0][0] %}
    {%- if last and last != study().name and not var('accept_volume_change') %}
        {%- set database = env_var('RAPPORT_DB', '') %}
        {%- do exceptions.raise_compiler_error(
            'the database holds the study ' ~ last ~ ', and this build is of ' ~ study().name ~ ': give every study a'
            ~ ' database of its own (RAPPORT_DB' ~ (', which is set to ' ~ database if database else '')
            ~ '; `make build STUDY=' ~ study().name ~ '` names one where it is not set)' ~ ", or replace it once with --vars '{accept_volume_change: true}'"
        ) %}
    {%- endif %}
{% endmacro %}

{#- A build that is still called running was killed: only one can hold the database. -#}
{% macro start_build() %}
    {{ return(adapter.dispatch('start_build', 'rapport')()) }}
{% endmacro %}

{#- Part of the publication's transaction: what is in marts and what history says of it cannot come apart. -#}
{% macro record_publication(marts) %}
    {{ return(adapter.dispatch('record_publication', 'rapport')(marts)) }}
{% endmacro %}

{% macro end_build(results) %}
    {{ return(adapter.dispatch('end_build', 'rapport')(results)) }}
{% endmacro %}

{#- What the next build is compared with: the counts of this one, and whether its people are invented. -#}
{% macro volumes_to_keep() -%}
    select table_name, measure, counted, total from {{ ref('volumes') }}
    union all
    select 'export', '{{ invented_people() }}', case when is_synthetic then 1 else 0 end, 1 from {{ ref('build') }}
{%- endmacro %}

{% macro invented_people() %}{{ return('invented people') }}{% endmacro %}
