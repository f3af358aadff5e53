-- How often each pair of a correlate and an alliance score occurs: all that the rank correlations need to know of the cohort.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    {{ cohort_in_whole_numbers() }}

),

final as (
    {% for correlate in study().correlations %}
    select
        '{{ correlate.name }}' as correlate,
        cast({{ correlate.sql }} as bigint) as value,
        {{ alliance_quotient() }},
        count(*) as participants
    from cohort
    where {{ correlate.sql }} is not null
    group by {{ correlate.sql }}, alliance_score
    {% if not loop.last %}union all{% endif %}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as correlate,
        cast(null as bigint) as value,
        {{ alliance_quotient() }},
        count(*) as participants
    from cohort
    where false
    group by alliance_score
    {%- endfor %}

)

select * from final
