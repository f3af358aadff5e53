{#- One row when every critical rule of a layer held in this build; otherwise an error that names table, rule, number of
    rows and example keys of each one that did not. A model and not a test, so that `dbt run` cannot walk around it.

    `verdicts` must have been written by this very invocation: an audit that crashed or was left out is no pass. -#}
{% macro gate(verdicts, layer) %}
with

verdicts as (

    select * from {{ verdicts }}
    where build_id = '{{ invocation_id }}'

),

broken as (

    select
        *,
        table_name || ': ' || rule
        || case when unexpected > 0 then ' (' || unexpected || ' failing)' else '' end
        || case when sample_keys is not null then ', for example ' || sample_keys else '' end
        || case when detail is not null then ' - ' || detail else '' end as message
    from verdicts
    where severity = 'critical' and not passed

),

counts as (

    select
        count(*) as rules,
        count(case when severity = 'critical' and not passed then 1 end) as critical_failures,
        count(case when severity = 'warning' and not passed then 1 end) as warnings
    from verdicts

),

messages as (

    select {{ join_strings('message', "chr(10) || '  '", 'message') }} as message
    from broken

),

final as (

    select
        '{{ invocation_id }}' as build_id,
        '{{ layer }}' as layer,
        counts.rules,
        counts.warnings,
        case
            when counts.rules = 0
                then {{ raise_error("'gate " ~ layer ~ " is closed: ' || counts.rules || ' verdicts of this build, run the whole build'") }}
            when counts.critical_failures > 0
                then {{ raise_error("'gate " ~ layer ~ " is closed, marts stay as they were. Critical rules broken: ' || counts.critical_failures || chr(10) || '  ' || messages.message") }}
            else true
        end as is_open
    from counts
    cross join messages

)

select * from final
{% endmacro %}
