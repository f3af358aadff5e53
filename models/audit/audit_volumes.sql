-- Against the last published build no table shrinks, no share moves, by more than the bounds, and invented people do not take the place of real ones; a first build has nothing to compare with.
with

volumes as (

    select * from {{ ref('volumes') }}

),

last_published as (

    select build_id from ops.builds
    where published_at is not null
    order by build_number desc
    limit 1

),

earlier as (

    select volumes.*
    from ops.volumes as volumes
    inner join last_published on volumes.build_id = last_published.build_id

),

compared as (

    select
        volumes.table_name,
        volumes.measure,
        volumes.counted,
        volumes.total,
        earlier.counted as earlier_counted,
        earlier.total as earlier_total,
        cast(volumes.counted as double) / nullif(volumes.total, 0) as share,
        cast(earlier.counted as double) / nullif(earlier.total, 0) as earlier_share,
        volumes.total >= {{ var('min_rows_for_shares') }}
        and earlier.total >= {{ var('min_rows_for_shares') }} as is_large
    from volumes
    left join earlier on volumes.table_name = earlier.table_name and volumes.measure = earlier.measure

),

people as (

    select
        build.is_synthetic,
        earlier.counted = 1 as was_synthetic,
        build.raw_folder
    from {{ ref('build') }} as build
    left join earlier on earlier.table_name = 'export' and earlier.measure = '{{ invented_people() }}'

),

verdicts as (

    select
        table_name,
        'does not shrink by more than {{ 100 * var("max_shrinkage") }}%' as rule,
        counted >= (1 - {{ var('max_shrinkage') }}) * earlier_counted as passed,
        earlier_counted as evaluated,
        earlier_counted - counted as unexpected,
        earlier_counted || ' rows in the last published build, now ' || counted as detail
    from compared
    where measure = 'rows'
    union all
    select
        table_name,
        'share ' || measure || ' does not move by more than {{ 100 * var("max_share_jump") }} points' as rule,
        case
            when earlier_total is null then null
            else not is_large or abs(share - earlier_share) <= {{ var('max_share_jump') }}
        end as passed,
        total as evaluated,
        0 as unexpected,
        round(100 * earlier_share, 1) || '% in the last published build, now ' || round(100 * share, 1) || '%' as detail
    from compared
    where measure <> 'rows'
    union all
    select
        'export' as table_name,
        'invented people do not take the place of real ones' as rule,
        case when was_synthetic is null then null else was_synthetic or not is_synthetic end as passed,
        1 as evaluated,
        1 as unexpected,
        case when was_synthetic then 'invented' else 'real' end
        || ' people in the last published build, now '
        || case
            when is_synthetic then 'invented ones, from ' || raw_folder || ' (RAPPORT_RAW)'
            else 'real ones'
        end as detail
    from people

),

final as (

    select
        '{{ invocation_id }}' as build_id,
        'volumes' as layer,
        table_name,
        rule,
        case
            when passed is null then 'info'
            else {{ guard_severity() }}
        end as severity,
        coalesce(passed, true) as passed,
        evaluated,
        case when coalesce(passed, true) then 0 else unexpected end as unexpected,
        cast(null as {{ dbt.type_string() }}) as sample_keys,
        case
            when passed is null then 'no published build to compare with'
            when passed then detail
            else detail || {{ if_right() }}
        end as detail,
        'volume_guard' as expectation,
        {{ utc_now() }} as validated_at
    from verdicts

)

select * from final
