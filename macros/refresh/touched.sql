{#- In an incremental build, the condition that keeps a rule to the participants whose rows changed. -#}
{% macro touched_only() %}
    {%- set touched = ref('touched_participants') %}
    {%- if is_incremental() %}
    where participant_id in (select participant_id from {{ touched }})
    {%- endif %}
{% endmacro %}

{#- Incremental strategy `touched`: the rows of touched participants give way to what is computed anew, which may be
    nothing. -#}
{% macro get_incremental_touched_sql(arguments) %}
    delete from {{ arguments.target_relation }}
    where participant_id in (select participant_id from {{ ref('touched_participants') }});
    insert into {{ arguments.target_relation }} by name
    select * from {{ arguments.temp_relation }};
{% endmacro %}

{#- Post-hook of the last incremental model: all that was touched has been recomputed, and the verdicts of this very build
    speak of all rows. A selection that left out a step in between forgets nothing and settles nothing, so the next build
    computes more, not less. -#}
{% macro forget_touched() %}
    {%- set steps = [
        'touched_participants', 'settled_rules', 'changed_participants', 'changed_who5_assessments', 'changed_sessions',
        'changed_alliance_ratings', 'audit_raw', 'care_summary', 'baseline_assessments', 'followup_assessments',
        'alliance_scores'
    ] %}
    {%- set left_out = [] %}
    {%- for step in steps if 'model.' ~ project_name ~ '.' ~ step not in selected_resources %}
        {%- do left_out.append(step) %}
    {%- endfor %}
    delete from ops.settled_rules;
    {%- if not left_out %}
    delete from ops.touched_participants;
    insert into ops.settled_rules by name
    select
        table_name,
        rule,
        {{ definitions_fingerprint() }} as definitions
    from audit.validation_results
    where build_id = '{{ invocation_id }}' and layer = 'raw' and passed and unexpected = 0;
    {%- endif %}
{% endmacro %}
