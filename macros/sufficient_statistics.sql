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
