{#- What an erasure takes from the history of builds. The list itself is nowhere, nor a hash of it: ids are guessed.

    raw.export says how many people the list of the last reading names. Without any, nothing is forgotten. -#}
{% macro lists_erasures() %}
    {%- set is_known = 'listed_erasures' in column_names_of('raw', 'export') %}
    {{ return(is_known and (run_query("select max(listed_erasures) from raw.export").rows[0][0] or 0) > 0) }}
{% endmacro %}

{#- Part of every build's end, a failed one's too: what earlier verdicts, those of failed builds included, say of single
    rows, and how many rows they were about. -#}
{% macro forget_earlier_verdicts() %}
    {{ return(adapter.dispatch('forget_earlier_verdicts', 'rapport')()) }}
{% endmacro %}

{% macro default__forget_earlier_verdicts() %}
    {%- if lists_erasures() %}
    update audit.validation_results
    set sample_keys = null, detail = null, evaluated = null, unexpected = null
    where
        build_id <> '{{ invocation_id }}'
        and coalesce(sample_keys, detail, cast(evaluated as varchar), cast(unexpected as varchar)) is not null;
    {%- endif %}
{% endmacro %}

{#- Part of the publication's transaction: of two builds that one person sets apart, the counts and findings tell about that
    person. Only the volumes of the last published build are ever compared. -#}
{% macro forget_earlier_figures() %}
    {{ return(adapter.dispatch('forget_earlier_figures', 'rapport')()) }}
{% endmacro %}

{% macro default__forget_earlier_figures() %}
    {%- if lists_erasures() %}
    delete from ops.volumes where build_id <> '{{ invocation_id }}';
    update ops.builds set published_rows = null where build_id <> '{{ invocation_id }}' and published_rows is not null;
    {{ forget_findings_of_few(var('min_cell')) }}
    {%- endif %}
{% endmacro %}
