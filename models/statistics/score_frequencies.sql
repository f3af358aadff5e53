-- How often each alliance score occurs in each group: all that the rank tests need to know of the cohort.
-- depends_on: {{ ref('gate_candidates') }}
{%- set groupings = study().groupings %}
with

cohort as (

    {{ cohort_in_whole_numbers() }}

),

counted as (

    select
        {%- for grouping in groupings %}
        {{ grouping.sql }} as {{ grouping.name }},
        {%- endfor %}
        alliance_score,
        {{ alliance_quotient() }},
        count(*) as participants
    from cohort
    group by {{ groupings | map(attribute='sql') | join(', ') }}, alliance_score

),

grouped as (
    {% for grouping in groupings %}
    select
        '{{ grouping.name }}' as grouping,
        {{ grouping.name }} as level,
        alliance_score,
        item_sum,
        item_responses,
        participants
    from counted
    where {{ grouping.name }} is not null
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
