{#- The numeric variables of the model of alliance and well-being, the outcome last; beside them stands the alliance, whose
    variants have columns of their own. -#}
{% macro model_variables() -%}
    {{ return(['age_years', 'male', 'time_in_care', 'baseline_score', 'followup_score']) }}
{%- endmacro %}

{#- From which ratings an alliance score is taken. -#}
{% macro alliance_variants() -%}
    {{ return(['alliance_mean', 'alliance_first', 'alliance_last', 'alliance_first_sessions']) }}
{%- endmacro %}

{#- So many units are a point of alliance. Scores are quotients, and sums of quotients depend on the order of the rows; in
    units they are whole numbers, whose sums do not. Denominators up to 16 divide the unit, with a larger one a score is
    off by less than 1e-12 of a point. -#}
{% macro alliance_unit() -%}
    720720000000
{%- endmacro %}

{% macro alliance_in_units(item_sum, item_responses) -%}
    cast(round(cast({{ item_sum }} * {{ alliance_unit() }} as double) / {{ item_responses }}) as bigint)
{%- endmacro %}

{#- Sums of the variables, of the products of each two of them, and of those with variants of the alliance. As text where
    Python reads them: they have more digits than 64 bits hold. -#}
{% macro sums_with_variants(variables, variants, condition=none, as_text=true) -%}
    {%- set summands = {} %}
    {%- for variable in variables %}
        {%- do summands.update({variable: variable}) %}
        {%- for other in variables[loop.index0:] %}
            {%- do summands.update({variable ~ '_x_' ~ other: variable ~ ' * ' ~ other}) %}
        {%- endfor %}
    {%- endfor %}
    {%- for variant in variants %}
        {%- do summands.update({variant: variant}) %}
        {%- for variable in variables %}
            {%- do summands.update({variant ~ '_x_' ~ variable: variant ~ ' * ' ~ variable}) %}
        {%- endfor %}
        {%- do summands.update({variant ~ '_x_' ~ variant: wide_product(variant, variant)}) %}
    {%- endfor %}
    {%- for name, summand in summands.items() %}
        {%- set guarded = 'case when ' ~ condition ~ ' then ' ~ summand ~ ' end' if condition else summand %}
        {{ wide_text(guarded) if as_text else wide_sum(guarded) }} as {{ name }}
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}

{% macro wide_text(expression) -%}
    cast(coalesce({{ wide_sum(expression) }}, 0) as {{ dbt.type_string() }})
{%- endmacro %}

{#- The classes by which the chance to have rated is estimated: utilization type, sex, sessions, age and baseline. -#}
{% macro rater_class() -%}
    utilization_type
    || '/' || sex
    || '/' || case
        when total_sessions <= 2 then cast(total_sessions as {{ dbt.type_string() }})
        when total_sessions <= 4 then '3-4'
        when total_sessions <= 8 then '5-8'
        else '9+'
    end
    || '/' || case
        when age_years < 25 then '-24'
        when age_years < 35 then '25-34'
        when age_years < 45 then '35-44'
        when age_years < 55 then '45-54'
        else '55+'
    end
    || '/' || case when baseline_score < 12 then '0-8' when baseline_score < 24 then '12-20' else '24-28' end
{%- endmacro %}
