-- How many participants of each utilization type are at each level of a counted variable of Table 1.
-- depends_on: {{ ref('gate_candidates') }}
{%- set variables = study().table_levels %}
with

cohort as (

    select * from {{ ref('analysis_cohort') }}

),

counted as (

    select
        utilization_type,
        {%- for variable in variables %}
        {{ variable.sql }} as {{ variable.name }},
        {%- endfor %}
        cast(null as {{ dbt.type_string() }}) as participants,
        count(*) as n
    from cohort
    group by {{ range(1, variables | length + 3) | join(', ') }}

),

final as (
    {% for variable in ['participants'] + variables | map(attribute='name') | list %}
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
