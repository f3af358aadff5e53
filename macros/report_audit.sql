{#- The last line of a build: what the audit saw, so that a warning is not only in a table. A rule is judged again on what
    quarantine leaves; it is one rule. -#}
{% macro report_audit() %}
    {%- if execute and flags.WHICH in ('build', 'run') %}
        {%- set verdicts = run_query(
            "select table_name || ': ' || rule || ' (' || coalesce(max(unexpected), 0) || ' of ' || coalesce(max(evaluated), 0) || ')'"
            ~ " || case when table_name = 'erasures' then ': ' || max(detail) || ' (' || max(sample_keys) || ')' else '' end"
            ~ " from audit.validation_results where build_id = '" ~ invocation_id ~ "'"
            ~ " and severity = 'warning' and not passed group by table_name, rule order by 1"
        ) %}
        {%- set erasures = run_query(
            "select 'Erasure: ' || evaluated || ' ids are listed; with rows in the export: ' || detail"
            ~ " from audit.validation_results where build_id = '" ~ invocation_id ~ "'"
            ~ " and table_name = 'erasures' and rule = 'ids listed and found'"
        ) %}
        {#- Of a build whose files or raw rows are refused the table is an earlier build's, if there is one. #}
        {%- if var('on_bad_rows') == 'quarantine' and run_query(
            "select 1 from audit.validation_results where build_id = '" ~ invocation_id ~ "' and layer = 'accepted' limit 1"
        ).rows %}
            {%- set waiting = run_query(
                "select table_name || ' ' || count(*) from quarantine.quarantined_rows group by table_name order by 1"
            ) %}
            {%- if waiting.rows %}
                {%- do log(
                    'Quarantine: rows wait, of ' ~ waiting.columns[0].values() | join(', ')
                    ~ '; quarantine.quarantined_rows has their files, rows and rules', info=true
                ) %}
            {%- endif %}
        {%- endif %}
        {%- for row in erasures.rows %}
            {%- do log(row[0], info=true) %}
        {%- endfor %}
        {%- for row in verdicts.rows %}
            {%- do log('Audit warning: ' ~ row[0], info=true) %}
        {%- endfor %}
        {%- if verdicts.rows %}
            {%- do log("Warnings stop nothing; keys are in audit.validation_results, build_id '" ~ invocation_id ~ "'", info=true) %}
        {%- endif %}
    {%- endif %}
{% endmacro %}
