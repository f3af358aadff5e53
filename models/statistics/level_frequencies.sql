-- How many participants of each utilization type are at each level of a counted variable of Table 1.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select * from {{ ref('analysis_cohort') }}

),

counted as (

    select
        utilization_type,
        coalesce(sex, 'missing') as sex,
        case when within_usa then 'within_usa' when not within_usa then 'outside_usa' end as country,
        case when screened_positive then 'true' else 'false' end as screened_positive,
        cast(null as {{ dbt.type_string() }}) as participants,
        count(*) as n
    from cohort
    group by 1, 2, 3, 4

),

final as (
    {% for variable in ['participants', 'sex', 'country', 'screened_positive'] %}
    select
        '{{ variable }}' as variable,
        {{ variable }} as level,
        utilization_type,
        {{ whole_sum('n') }} as participants
    from counted
    group by utilization_type, {{ variable }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

)

select * from final
