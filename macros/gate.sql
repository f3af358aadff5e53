{#- One row when every critical rule of a layer held in this build; otherwise an error that names table, rule, number of
    rows and example keys of each one that did not. A model and not a test, so that `dbt run` cannot walk around it.

    Every one of `audits` must have been written by this very invocation: an audit that crashed or was left out is no
    pass. `advice` is the last line of the error: what whoever reads it can do about the rows. A guard on volumes says in
    its own line what to do. -#}
{% macro gate(audits, layer, advice='') %}
with

verdicts as (
    {% for audit in audits %}
    select
        table_name,
        rule,
        severity,
        passed,
        unexpected,
        sample_keys,
        detail,
        expectation
    from {{ audit }}
    where build_id = '{{ invocation_id }}'
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

audits_without_verdicts as (
    {% for audit in audits %}
    select '{{ audit.identifier }}' as audit
    where not exists (select 1 from {{ audit }} where build_id = '{{ invocation_id }}')
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

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
        (select count(*) from audits_without_verdicts) as silent_audits,
        count(case when severity = 'critical' and not passed then 1 end) as critical_failures,
        count(
            case when severity = 'critical' and not passed and expectation <> 'volume_guard' then 1 end
        ) as failures_of_rows,
        count(case when severity = 'warning' and not passed then 1 end) as warnings
    from verdicts

),

messages as (

    select {{ dbt.listagg('message', "chr(10) || '  '", 'order by message') }} as message
    from broken

),

final as (

    select
        '{{ invocation_id }}' as build_id,
        '{{ layer }}' as layer,
        counts.rules,
        counts.warnings,
        case
            when counts.silent_audits > 0
                then {{ raise_error("'gate " ~ layer ~ " is closed: 0 verdicts of this build from ' || counts.silent_audits || ' audits, run the whole build'") }}
            when counts.critical_failures > 0
                then {{ raise_error("'gate " ~ layer ~ " is closed, marts stay as they were. Critical rules broken: ' || counts.critical_failures || chr(10) || '  ' || messages.message" ~ (" || case when counts.failures_of_rows > 0 then chr(10) || '" ~ advice ~ "' else '' end" if advice else '')) }}
            else true
        end as is_open
    from counts
    cross join messages

)

select * from final
{% endmacro %}

{#- What whoever delivers the export can do about its rows. -#}
{% macro advice_on_rows() -%}
    Deliver the right rows with a later loaded_at or mend their files
    {%- if var('on_bad_rows') == 'stop' %}; docs/refresh.md says how faulty rows can wait in quarantine{% endif %}.
{%- endmacro %}

{#- What a closed gate leaves unsaid: behind it nothing was judged. -#}
{% macro advice_on_files() -%}
    The rules on rows have not been judged: they are once all of this is mended.
{%- endmacro %}
