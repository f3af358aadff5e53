-- Sums and products of the numbers of the study's models by alliance score and level of its factors, among those who screened positive and miss no predictor: all that ordinary least squares needs to know of them.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    {{ cohort_in_whole_numbers() }}

),

sample as (

    {{ regression_sample('cohort') }}

),

final as (

    select
        {{ alliance_quotient() }},
        {%- for factor in study().factors %}
        {{ factor.name }},
        {%- endfor %}
        {{ sums_of_products() }}
    from sample
    group by alliance_score{% for factor in study().factors %}, {{ factor.name }}{% endfor %}

)

select * from final
