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

{#- Post-hook of the last incremental model: all that was touched has been recomputed. -#}
{% macro forget_touched() %}
    delete from ops.touched_participants
{% endmacro %}
