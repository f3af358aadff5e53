-- Every test, contrast and coefficient of the study in one table.
{{ config(alias='inference_results') }}
with

findings as (

    select * from {{ ref('alliance_findings') }}
    union all by name
    select * from {{ ref('wellbeing_findings') }}
    union all by name
    select * from {{ ref('regression_findings') }}

),

final as (

    select
        cast(analysis as varchar) as analysis,
        cast(term as varchar) as term,
        cast(method as varchar) as method,
        cast(n as bigint) as n,
        cast(estimate_name as varchar) as estimate_name,
        cast(estimate as double) as estimate,
        cast(std_error as double) as std_error,
        cast(standardized_estimate as double) as standardized_estimate,
        cast(y_standardized_estimate as double) as y_standardized_estimate,
        cast(statistic_name as varchar) as statistic_name,
        cast(statistic as double) as statistic,
        cast(df as double) as df,
        cast(df_residual as double) as df_residual,
        cast(p_value as double) as p_value,
        cast(p_adjusted as double) as p_adjusted,
        cast(ci_low as double) as ci_low,
        cast(ci_high as double) as ci_high,
        cast(effect_size_name as varchar) as effect_size_name,
        cast(effect_size as double) as effect_size,
        cast(effect_size_low as double) as effect_size_low,
        cast(effect_size_high as double) as effect_size_high,
        cast(note as varchar) as note
    from findings

)

select * from final
