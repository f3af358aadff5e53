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

{#- The current rows of a table on which a verdict may have changed: those of touched participants, and those of nobody. -#}
{% macro changed_rows(table) %}
with

stg_rows as (

    select * from {{ ref('stg_' ~ table) }}

),

touched as (

    select * from {{ ref('touched_participants') }}

),

final as (

    select * from stg_rows
    where participant_id is null or participant_id in (select participant_id from touched)

)

select * from final
{% endmacro %}

{#- Post-hook of the last incremental model: all that was touched has been recomputed, and the verdicts of this very build
    speak of all rows. A selection that left anything out forgets nothing and settles nothing, so the next build computes
    more, not less. -#}
{% macro forget_touched() %}
    delete from ops.settled_rules;
    {%- if not left_out_upstream_of(model) %}
    delete from ops.touched_participants;
    insert into ops.settled_rules by name
    select
        table_name,
        rule
    from audit.validation_results
    where build_id = '{{ invocation_id }}' and layer = 'raw' and passed and unexpected = 0;
    {%- endif %}
{% endmacro %}
