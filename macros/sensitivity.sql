{#- The numeric variables of the model of alliance and well-being: the terms of the study's covariates, the baseline, and last
    the outcome. Beside them stands the alliance, whose variants have columns of their own. -#}
{% macro model_variables() -%}
    {{ return(study().covariate_terms | map(attribute='name') | list + ['baseline_score', 'followup_score']) }}
{%- endmacro %}

{#- What the analyses ask of the participants for whom `condition` holds, with the variables of the model as `term_1`,
    `term_2`, …: a term may have the name of another column. The SQL of a study reads the columns of the cohort; who did not rate
    has them too. -#}
{% macro participants_with_terms(condition) -%}
    {%- set is_known = [] %}
    {%- for predictor in study().predictors_but_sex %}
        {%- do is_known.append('(' ~ predictor.sql ~ ') is not null') %}
    {%- endfor %}
    select
        participant_id,
        is_eligible,
        {{ rater_class() }} as rater_class,
        sex,
        screened_positive,
        follow_up_days,
        bond_sum + goals_sum as item_sum,
        item_responses,
        {%- for term in study().covariate_terms %}
        cast({{ term.sql }} as bigint) as term_{{ loop.index }},
        {%- endfor %}
        cast(baseline_score as bigint) as term_{{ model_variables() | length - 1 }},
        cast(followup_score as bigint) as term_{{ model_variables() | length }},
        {{ is_known | join(' and ') }} as others_known,
        {{ is_known | join(' and ') }}{{ ' and sex is not null' if study().asks_sex }} as predictors_known
    from (
        select
            {{ cohort_columns() }},
            bond_sum,
            goals_sum
        from (
            {{ judged_participants() }}
        ) as judged
        where {{ condition }}
    ) as participants
{%- endmacro %}

{#- The variables of the model under their own names. -#}
{% macro named_terms(prefix='') -%}
    {%- for variable in model_variables() %}
    {{ prefix }}term_{{ loop.index }} as {{ variable }},
    {%- endfor %}
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
    || '/' || coalesce(sex, 'missing')
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
