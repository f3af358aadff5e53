{#- The table that keeps every verdict of every build, failed builds included. It is no model: it has to be there before
    the first gate can fail, and no refresh may empty it. -#}
{% macro create_validation_results() %}
    {{ return(adapter.dispatch('create_validation_results', 'rapport')()) }}
{% endmacro %}

{% macro default__create_validation_results() %}
    create schema if not exists audit;
    create table if not exists audit.validation_results (
        build_id varchar not null,
        layer varchar not null,
        table_name varchar not null,
        rule varchar not null,
        severity varchar not null,
        passed boolean not null,
        evaluated bigint,
        unexpected bigint,
        sample_keys varchar,
        detail varchar,
        expectation varchar not null,
        validated_at timestamp not null
    );
{% endmacro %}

{#- Post-hook of every audit model: its verdicts join the history in the transaction that writes them. -#}
{% macro keep_verdicts() %}
    {{ return(adapter.dispatch('keep_verdicts', 'rapport')()) }}
{% endmacro %}

{% macro default__keep_verdicts() %}
    insert into audit.validation_results by name select * from {{ this }}
{% endmacro %}
