-- Every row that the part files hold is used, superseded, in quarantine or erased, and few enough are in quarantine.
with

source_summary as (

    select * from {{ ref('source_summary') }}

),

verdicts as (

    select
        table_name,
        'rows read are used, superseded or in quarantine' as rule,
        delivered - erased = used + superseded + quarantined as passed,
        delivered as evaluated,
        cast(abs(delivered - erased - used - superseded - quarantined) as bigint) as unexpected,
        'delivered ' || delivered || ', erased ' || erased || ', used ' || used || ', superseded ' || superseded
        || ', in quarantine ' || quarantined as detail
    from source_summary
    union all
    select
        table_name,
        'at most {{ 100 * var("max_quarantined_share") }}% of the rows are in quarantine' as rule,
        quarantined <= {{ var('max_quarantined_share') }} * (used + quarantined) as passed,
        cast(used + quarantined as bigint) as evaluated,
        cast(quarantined as bigint) as unexpected,
        quarantined || ' of ' || (used + quarantined)
        || ', with the rows that depend on faulty ones: correct them or raise var max_quarantined_share' as detail
    from source_summary

),

final as (

    select
        '{{ invocation_id }}' as build_id,
        'rows' as layer,
        table_name,
        rule,
        'critical' as severity,
        passed,
        evaluated,
        case when passed then 0 else unexpected end as unexpected,
        cast(null as {{ dbt.type_string() }}) as sample_keys,
        detail,
        'row_accounting' as expectation,
        {{ utc_now() }} as validated_at
    from verdicts

)

select * from final
