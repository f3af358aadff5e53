-- Sums and products of the numbers of the study's models by alliance score and level of its factors, among those who screened positive and miss no predictor: all that ordinary least squares needs to know of them.
-- depends_on: {{ ref('gate_candidates') }}
{%- set numbers = study().numbers %}
{%- set factors = study().factors %}
with

cohort as (

    {{ cohort_in_whole_numbers() }}

),

positive as (

    select
        alliance_score,
        item_sum,
        item_responses,
        {%- for factor in factors %}
        {{ factor.sql }} as {{ factor.name }},
        {%- endfor %}
        {%- for number in numbers %}
        cast({{ number.sql }} as bigint) as {{ number.name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from cohort
    where screened_positive

),

sample as (

    select * from positive
    where
        {{ (factors + numbers) | map(attribute='name') | join(' is not null and ') }} is not null

),

final as (

    select
        {{ alliance_quotient() }},
        {%- for factor in factors %}
        {{ factor.name }},
        {%- endfor %}
        count(*) as n,
        {%- for number in numbers %}
        {{ whole_sum(number.name) }} as {{ number.name }},
        {%- endfor %}
        {%- for first in numbers %}
        {%- set is_last_row = loop.last %}
        {%- for second in numbers[loop.index0:] %}
        {{ whole_sum(first.name ~ ' * ' ~ second.name) }} as {{ first.name }}_x_{{ second.name }}
        {%- if not (is_last_row and loop.last) %},{% endif %}
        {%- endfor %}
        {%- endfor %}
    from sample
    group by alliance_score{% for factor in factors %}, {{ factor.name }}{% endfor %}

)

select * from final
