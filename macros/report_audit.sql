{#- The last line of a build: what the audit saw, so that a warning is not only in a table. -#}
{% macro report_audit() %}
    {%- if execute and flags.WHICH in ('build', 'run') %}
        {%- set verdicts = run_query(
            "select table_name || ': ' || rule || ' (' || coalesce(unexpected, 0) || ' of ' || coalesce(evaluated, 0) || ')'"
            ~ " from audit.validation_results where build_id = '" ~ invocation_id ~ "'"
            ~ " and severity = 'warning' and not passed order by 1"
        ) %}
        {%- for row in verdicts.rows %}
            {%- do log('Audit warning: ' ~ row[0], info=true) %}
        {%- endfor %}
        {%- if verdicts.rows %}
            {%- do log("Warnings stop nothing; keys are in audit.validation_results, build_id '" ~ invocation_id ~ "'", info=true) %}
        {%- endif %}
    {%- endif %}
{% endmacro %}
