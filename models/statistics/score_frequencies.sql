-- How often each alliance score occurs in each group: all that the rank tests need to know of the cohort.
-- depends_on: {{ ref('gate_candidates') }}
{%- set groupings = {
    'sex': 'sex',
    'country': "case when within_usa then 'within_usa' when not within_usa then 'outside_usa' end",
    'depression_screen': "case when screened_positive then 'positive' else 'negative' end",
    'utilization_type': 'utilization_type',
} %}
with

cohort as (

    {{ cohort_in_whole_numbers() }}

),

counted as (

    select
        {%- for grouping, level in groupings.items() %}
        {{ level }} as {{ grouping }},
        {%- endfor %}
        alliance_score,
        {{ alliance_quotient() }},
        count(*) as participants
    from cohort
    group by {{ groupings.values() | join(', ') }}, alliance_score

),

grouped as (
    {% for grouping in groupings %}
    select
        '{{ grouping }}' as grouping,
        {{ grouping }} as level,
        alliance_score,
        item_sum,
        item_responses,
        participants
    from counted
    where {{ grouping }} is not null
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

final as (

    select
        grouping,
        level,
        {{ alliance_quotient() }},
        {{ whole_sum('participants') }} as participants
    from grouped
    group by grouping, level, alliance_score

)

select * from final
