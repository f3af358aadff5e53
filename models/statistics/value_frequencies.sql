-- How often each value of a numeric variable of Table 1 occurs in each utilization type; a value is a quotient of two whole numbers.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    {{ cohort_in_whole_numbers() }}

),

final as (

    select
        'alliance_score' as variable,
        utilization_type,
        min_by(item_sum, item_responses) as numerator,
        cast(min(item_responses) as bigint) as denominator,
        count(*) as participants
    from cohort
    group by utilization_type, alliance_score
    {%- for variable in study().table_numbers if variable.name != 'alliance_score' %}
    union all
    select
        '{{ variable.name }}' as variable,
        utilization_type,
        cast({{ variable.sql }} as bigint) as numerator,
        cast(1 as bigint) as denominator,
        count(*) as participants
    from cohort
    where {{ variable.sql }} is not null
    group by utilization_type, {{ variable.sql }}
    {%- endfor %}

)

select * from final
