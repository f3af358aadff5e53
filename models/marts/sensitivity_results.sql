-- Every test, contrast, coefficient and rate with which a choice of the study is tested, in the columns of the findings.
with

findings as (

    select * from {{ ref('sensitivity_findings') }}

),

final as (

    select
        cast(analysis as {{ dbt.type_string() }}) as analysis,
        cast(term as {{ dbt.type_string() }}) as term,
        cast(method as {{ dbt.type_string() }}) as method,
        cast(n as bigint) as n,
        cast(estimate_name as {{ dbt.type_string() }}) as estimate_name,
        cast(estimate as double) as estimate,
        cast(std_error as double) as std_error,
        cast(standardized_estimate as double) as standardized_estimate,
        cast(y_standardized_estimate as double) as y_standardized_estimate,
        cast(statistic_name as {{ dbt.type_string() }}) as statistic_name,
        cast(statistic as double) as statistic,
        cast(df as double) as df,
        cast(df_residual as double) as df_residual,
        cast(p_value as double) as p_value,
        cast(p_adjusted as double) as p_adjusted,
        cast(ci_low as double) as ci_low,
        cast(ci_high as double) as ci_high,
        cast(effect_size_name as {{ dbt.type_string() }}) as effect_size_name,
        cast(effect_size as double) as effect_size,
        cast(effect_size_low as double) as effect_size_low,
        cast(effect_size_high as double) as effect_size_high,
        cast(note as {{ dbt.type_string() }}) as note
    from findings

)

select * from final
