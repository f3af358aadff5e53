{#- The cohort for the sufficient statistics: the alliance score as the quotient of two whole numbers that it is. -#}
{% macro cohort_in_whole_numbers() -%}
    select
        *,
        cast(round(alliance_score * item_responses) as bigint) as item_sum
    from {{ ref('analysis_cohort') }}
{%- endmacro %}

{#- Of equal alliance scores one quotient, that of the smallest denominator. -#}
{% macro alliance_quotient() -%}
    min_by(item_sum, item_responses) as item_sum,
        min(item_responses) as item_responses
{%- endmacro %}

{#- A sum of whole numbers, exact in 64 bits: ten million people with the largest scores and days stay far below. -#}
{% macro whole_sum(expression) -%}
    cast(sum({{ expression }}) as bigint)
{%- endmacro %}

{#- Sums of an outcome before and after care. -#}
{% macro sums_of_change() -%}
    count(*) as n,
        {{ whole_sum('baseline_score') }} as baseline,
        {{ whole_sum('followup_score') }} as followup,
        {{ whole_sum('baseline_score * baseline_score') }} as baseline_squares,
        {{ whole_sum('followup_score * followup_score') }} as followup_squares,
        {{ whole_sum('baseline_score * followup_score') }} as products,
        count(case when clinical_recovery then 1 end) as recovered,
        count(case when clinical_improvement then 1 end) as improved
{%- endmacro %}

{#- The predictors and the outcome of the study's models, of everyone in the relation `cohort` who screened positive and misses
    none; `keys` are columns that are kept. -#}
{% macro regression_sample(cohort, keys=[]) -%}
    {%- set numbers = study().numbers %}
    {%- set factors = study().factors %}
    select * from (
        select
            {%- for key in keys %}
            {{ key }},
            {%- endfor %}
            alliance_score,
            item_sum,
            item_responses,
            {%- for factor in factors %}
            {{ factor.sql }} as {{ factor.name }},
            {%- endfor %}
            {%- for number in numbers %}
            cast({{ number.sql }} as bigint) as {{ number.name }}{% if not loop.last %},{% endif %}
            {%- endfor %}
        from {{ cohort }}
        where screened_positive
    ) as positive
    where {{ (factors + numbers) | map(attribute='name') | join(' is not null and ') }} is not null
{%- endmacro %}

{#- Sums and products of the numbers of the study's models. -#}
{% macro sums_of_products() -%}
    {%- set numbers = study().numbers %}
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
{%- endmacro %}

{#- The cohort with the scores of every instrument in the place of the outcome's: one row per participant and instrument. -#}
{% macro cohort_by_instrument() -%}
    {%- set of_instrument = [
        'baseline_score', 'followup_score', 'follow_up_days', 'screened_positive', 'clinical_recovery', 'clinical_improvement'
    ] %}
    {%- set names = columns_of(graph.nodes['model.' ~ project_name ~ '.analysis_cohort']) if execute else {} %}
    select
        {%- for name in names if name not in of_instrument and name != 'who5_change' %}
        cohort.{{ name }},
        {%- endfor %}
        {%- for name in of_instrument %}
        changes.{{ name }},
        {%- endfor %}
        cast(round(cohort.alliance_score * cohort.item_responses) as bigint) as item_sum,
        changes.instrument
    from {{ ref('analysis_cohort') }} as cohort
    inner join {{ ref('outcome_change') }} as changes on cohort.participant_id = changes.participant_id
{%- endmacro %}

