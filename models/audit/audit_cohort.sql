-- The cohort is not empty, has not shrunk by more than the bound since the last published build, and most completed sessions lie in the study window.
{%- set window_start = "date '" ~ var('study_start') ~ "'" %}
{%- set window_end = "date '" ~ var('study_end') ~ "'" %}
with

flow as (

    select * from {{ ref('eligibility_flow') }}

),

sessions as (

    select * from {{ ref('stg_sessions') }}

),

last_published as (

    select published_rows['analysis_cohort'] as participants from ops.builds
    where published_at is not null
    order by build_number desc
    limit 1

),

last_step as (

    select participants from flow
    order by step desc
    limit 1

),

flow_in_words as (

    select {{ dbt.listagg("criterion || ' ' || participants", "', '", 'order by step') }} as words from flow

),

window_share as (

    select
        count(*) as total,
        count(
            case when {{ utc_date('started_at') }} between {{ window_start }} and {{ window_end }} then 1 end
        ) as inside,
        min({{ utc_date('started_at') }}) as first_day,
        max({{ utc_date('started_at') }}) as last_day
    from sessions
    where status = 'completed'

),

window_in_words as (

    select
        case
            when total = 0 then 'no session is completed'
            else
                'completed sessions run from ' || first_day || ' to ' || last_day || '; the window is '
                || {{ window_start }} || ' to ' || {{ window_end }} || ', with ' || inside || ' of ' || total
                || ' inside (vars study_start, study_end)'
        end as words,
        2 * inside < total as is_elsewhere
    from window_share

),

verdicts as (

    select
        'analysis_cohort' as table_name,
        'has an eligible participant' as rule,
        {{ guard_severity() }} as severity,
        last_step.participants > 0 as passed,
        last_step.participants as evaluated,
        0 as unexpected,
        case
            when window_in_words.is_elsewhere
                then
                    'set study_start and study_end, or the window in studies/{{ study().name }}.yml: '
                    || window_in_words.words || '; left after each criterion: ' || flow_in_words.words
            else 'left after each criterion: ' || flow_in_words.words || '; ' || window_in_words.words
        end as detail
    from last_step
    cross join flow_in_words
    cross join window_in_words
    union all
    select
        'analysis_cohort' as table_name,
        'does not shrink by more than {{ 100 * var("max_shrinkage") }}%' as rule,
        {{ guard_severity() }} as severity,
        last_step.participants >= (1 - {{ var('max_shrinkage') }}) * last_published.participants as passed,
        last_published.participants as evaluated,
        last_published.participants - last_step.participants as unexpected,
        last_published.participants || ' participants in the last published build, now ' || last_step.participants
        || '; left after each criterion: ' || flow_in_words.words as detail
    from last_step
    cross join flow_in_words
    left join last_published on true
    union all
    select
        'sessions' as table_name,
        'at least half of the completed ones lie in the study window' as rule,
        'warning' as severity,
        2 * window_share.inside >= window_share.total as passed,
        window_share.total as evaluated,
        window_share.total - window_share.inside as unexpected,
        window_in_words.words as detail
    from window_share
    cross join window_in_words

),

final as (

    select
        '{{ invocation_id }}' as build_id,
        'cohort' as layer,
        table_name,
        rule,
        case when passed is null then 'info' else severity end as severity,
        coalesce(passed, true) as passed,
        cast(evaluated as bigint) as evaluated,
        cast(case when coalesce(passed, true) then 0 else unexpected end as bigint) as unexpected,
        cast(null as {{ dbt.type_string() }}) as sample_keys,
        case
            when passed is null then 'no published build to compare with'
            when passed or severity = 'warning' then detail
            else detail || {{ if_right() }}
        end as detail,
        'cohort_guard' as expectation,
        {{ utc_now() }} as validated_at
    from verdicts

)

select * from final
