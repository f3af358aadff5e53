-- A printed figure is reproduced when ours rounds to it at the printed number of decimals, or keeps its printed bound.
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

-- Rows are repeated for their columns, and not the tables that give them: some engines would compute these as often.
{%- for name, columns in {'result_columns': result_columns, 'fit_columns': fit_columns}.items() %}

{{ name }} as (
    {% for column in columns %}
    select '{{ column }}' as column_name
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),
{%- endfor %}

parameters as (
    {% for parameter, expression in parameters.items() %}
    select
        '{{ parameter }}' as term,
        cast({{ expression }} as double) as value
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

ours as (

    select
        'inference_results' as target_table,
        results.analysis,
        results.term,
        cast(null as {{ dbt.type_string() }}) as utilization_type,
        cast(null as integer) as step,
        names.column_name,
        case names.column_name
            {%- for column in result_columns %}
            when '{{ column }}' then cast(results.{{ column }} as double)
            {%- endfor %}
        end as value,
        results.n
    from inference_results as results
    cross join result_columns as names
    union all
    select
        'model_fit' as target_table,
        fits.analysis,
        cast(null as {{ dbt.type_string() }}) as term,
        cast(null as {{ dbt.type_string() }}) as utilization_type,
        fits.step,
        names.column_name,
        case names.column_name
            {%- for column in fit_columns %}
            when '{{ column }}' then cast(fits.{{ column }} as double)
            {%- endfor %}
        end as value,
        fits.n
    from model_fit as fits
    cross join fit_columns as names
    union all
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
        cast(null as {{ dbt.type_string() }}) as analysis,
        criterion as term,
        cast(null as {{ dbt.type_string() }}) as utilization_type,
        cast(null as integer) as step,
        'participants' as column_name,
        cast(participants as double) as value,
        cast(null as bigint) as n
    from eligibility_flow
    union all
    select
        'study_parameter' as target_table,
        cast(null as {{ dbt.type_string() }}) as analysis,
        term,
        cast(null as {{ dbt.type_string() }}) as utilization_type,
        cast(null as integer) as step,
        'value' as column_name,
        value,
        cast(null as bigint) as n
    from parameters

),

printed as (

    select * from {{ ref('printed_figures') }}

),

irreproducible as (

    select * from {{ ref('irreproducible_figures') }}

),

totals as (

    select * from ours
    where target_table = 'table_1' and utilization_type = 'total'

),

matched as (

    select
        printed.*,
        irreproducible.reason,
        case printed.transform
            when 'times_100' then 100 * ours.value
            when 'times_n' then ours.n * ours.value
            when 'percent_of_total' then 100 * ours.value / nullif(totals.value, 0)
            else ours.value
        end as our_value
    from printed
    left join ours
        on
            printed.target_table = ours.target_table
            and printed.analysis is not distinct from ours.analysis
            and printed.term is not distinct from ours.term
            and printed.utilization_type is not distinct from ours.utilization_type
            and printed.step is not distinct from ours.step
            and printed.column_name = ours.column_name
    left join totals
        on
            printed.target_table = totals.target_table
            and printed.analysis is not distinct from totals.analysis
            and printed.term is not distinct from totals.term
            and printed.column_name = totals.column_name
    left join irreproducible on printed.figure_id = irreproducible.figure_id

),

compared as (

    select
        *,
        case comparator
            when '<' then our_value < printed_value
            when '>' then our_value > printed_value
            -- Half a unit of the last printed decimal, with room for the binary form of a decimal fraction.
            else abs(our_value - printed_value) <= 0.5 * power(10, -decimals) * (1 + 1e-9)
        end as agrees
    from matched

),

final as (

    select
        figure_id,
        section,
        quote,
        printed,
        printed_value,
        our_value,
        agrees,
        our_value - printed_value as difference,
        case
            when agrees then null
            when reason is not null then reason
            when our_value is null and target_table = 'study_parameter'
                then 'a rule that the models are written by, not a figure of the tables'
            when our_value is null then 'not defined on these data'
        end as note
    from compared

)

select * from final
