-- Every figure of ours that a printed one can be compared with, as one row: results, Table 1, the flow, and the rules of the study.
{%- set result_columns = [
    'n', 'estimate', 'std_error', 'standardized_estimate', 'y_standardized_estimate', 'statistic', 'df', 'df_residual',
    'p_value', 'p_adjusted', 'ci_low', 'ci_high', 'effect_size',
] %}
{%- set fit_columns = [
    'n', 'r_squared', 'delta_r_squared', 'f_change', 'df', 'df_residual', 'p_value', 'model_p_value',
] %}
{%- set parameters = study_parameters() %}
with

inference_results as (

    select * from {{ ref('findings') }}

),

model_fit as (

    select * from {{ ref('regression_fit') }}

),

table_1 as (

    select * from {{ ref('table_1_figures') }}

),

eligibility_flow as (

    select * from {{ ref('eligibility_flow') }}

),

build as (

    select * from {{ ref('build') }}

),

final as (
    {% for column in result_columns %}
    select
        'inference_results' as target_table,
        analysis,
        term,
        cast(null as varchar) as utilization_type,
        cast(null as integer) as step,
        '{{ column }}' as column_name,
        cast({{ column }} as double) as value,
        n
    from inference_results
    union all
    {%- endfor %}
    {%- for column in fit_columns %}
    select
        'model_fit' as target_table,
        analysis,
        cast(null as varchar) as term,
        cast(null as varchar) as utilization_type,
        step,
        '{{ column }}' as column_name,
        cast({{ column }} as double) as value,
        n
    from model_fit
    union all
    {%- endfor %}
    select
        'table_1' as target_table,
        variable as analysis,
        level as term,
        utilization_type,
        cast(null as integer) as step,
        statistic as column_name,
        value,
        cast(null as bigint) as n
    from table_1
    union all
    select
        'eligibility_flow' as target_table,
        cast(null as varchar) as analysis,
        criterion as term,
        cast(null as varchar) as utilization_type,
        cast(null as integer) as step,
        'participants' as column_name,
        cast(participants as double) as value,
        cast(null as bigint) as n
    from eligibility_flow
    {%- for parameter, expression in parameters.items() %}
    union all
    select
        'study_parameter' as target_table,
        cast(null as varchar) as analysis,
        '{{ parameter }}' as term,
        cast(null as varchar) as utilization_type,
        cast(null as integer) as step,
        'value' as column_name,
        cast({{ expression }} as double) as value,
        cast(null as bigint) as n
    from build
    {%- endfor %}

)

select * from final
