-- Table 1: demographic, clinical and utilization characteristics of the cohort, by utilization type and in total.
{{ config(alias='table_1') }}
{%- set numeric_variables = [
    'age_years', 'alliance_score', 'follow_up_days', 'total_sessions', 'time_in_care_days'
] %}
{%- set counted_levels = [
    {'variable': 'sex', 'level': "'female'", 'condition': "sex = 'female'", 'base': 'true'},
    {'variable': 'sex', 'level': "'male'", 'condition': "sex = 'male'", 'base': 'true'},
    {'variable': 'sex', 'level': "'missing'", 'condition': 'sex is null', 'base': 'true'},
    {'variable': 'country', 'level': "'within_usa'", 'condition': 'within_usa', 'base': 'within_usa is not null'},
    {'variable': 'country', 'level': "'outside_usa'", 'condition': 'not within_usa', 'base': 'within_usa is not null'},
    {'variable': 'screened_positive', 'level': 'null', 'condition': 'screened_positive', 'base': 'true'},
] %}
with

cohort as (

    select * from {{ ref('candidate_analysis_cohort') }}

),

-- A utilization type that nobody has keeps its rows, with a count of zero.
columns_of_table as (

    select
        'teletherapy' as utilization_type,
        1 as position
    union all
    select
        'telecoaching' as utilization_type,
        2 as position
    union all
    select
        'both' as utilization_type,
        3 as position
    union all
    select
        'total' as utilization_type,
        4 as position

),

members as (

    select
        columns_of_table.utilization_type as table_column,
        columns_of_table.position,
        cohort.*
    from columns_of_table
    left join cohort
        on
            columns_of_table.utilization_type = cohort.utilization_type
            or columns_of_table.utilization_type = 'total'

),

cohort_size as (

    select count(*) as participants from cohort

),

participant_counts as (

    select
        table_column,
        position,
        count(participant_id) as n
    from members
    group by table_column, position

),

level_counts as (
    {% for item in counted_levels %}
    select
        table_column,
        position,
        {{ loop.index }} as item,
        '{{ item.variable }}' as variable,
        cast({{ item.level }} as varchar) as level,
        count(case when {{ item.condition }} then participant_id end) as n,
        count(case when {{ item.base }} then participant_id end) as base
    from members
    group by table_column, position
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

distributions as (
    {% for variable in numeric_variables %}
    select
        table_column,
        position,
        {{ loop.index }} as item,
        '{{ variable }}' as variable,
        count({{ variable }}) as n,
        avg({{ variable }}) as mean,
        stddev_samp({{ variable }}) as sd,
        percentile_cont(0.5) within group (order by {{ variable }}) as median,
        min({{ variable }}) as min,
        max({{ variable }}) as max
    from members
    group by table_column, position
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

statistics as (

    select
        1 as section,
        0 as item,
        1 as line,
        position,
        table_column,
        'participants' as variable,
        cast(null as varchar) as level,
        'n' as statistic,
        cast(n as double) as value
    from participant_counts
    union all
    select
        1 as section,
        0 as item,
        2 as line,
        participant_counts.position,
        participant_counts.table_column,
        'participants' as variable,
        cast(null as varchar) as level,
        'percent' as statistic,
        cast(100.0 * participant_counts.n / nullif(cohort_size.participants, 0) as double) as value
    from participant_counts
    cross join cohort_size
    {%- for statistic, value in [('n', 'n'), ('percent', '100.0 * n / nullif(base, 0)')] %}
    union all
    select
        2 as section,
        item,
        {{ loop.index }} as line,
        position,
        table_column,
        variable,
        level,
        '{{ statistic }}' as statistic,
        cast({{ value }} as double) as value
    from level_counts
    {%- endfor %}
    {%- for statistic in ['n', 'mean', 'sd', 'median', 'min', 'max'] %}
    union all
    select
        3 as section,
        item,
        {{ loop.index }} as line,
        position,
        table_column,
        variable,
        cast(null as varchar) as level,
        '{{ statistic }}' as statistic,
        cast({{ statistic }} as double) as value
    from distributions
    {%- endfor %}

),

final as (

    select
        variable,
        level,
        table_column as utilization_type,
        statistic,
        value
    from statistics
    order by section, item, line, position

)

select * from final
