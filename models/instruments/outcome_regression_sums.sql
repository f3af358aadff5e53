-- Sums and products of the study's models for every instrument, of those of the cohort who screened positive by it and miss no predictor.
-- depends_on: {{ ref('gate_outcomes') }}
with

cohort as (

    {{ cohort_by_instrument() }}

),

sample as (

    {{ regression_sample('cohort', ['instrument']) }}

),

final as (

    select
        instrument,
        {{ alliance_quotient() }},
        {%- for factor in study().factors %}
        {{ factor.name }},
        {%- endfor %}
        {{ sums_of_products() }}
    from sample
    group by instrument, alliance_score{% for factor in study().factors %}, {{ factor.name }}{% endfor %}

)

select * from final
