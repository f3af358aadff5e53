-- How much each step of each regression adds, for every instrument of the study.
with

steps as (

    select * from {{ ref('outcome_regression_fit') }}

),

final as (

    select
        cast(instrument as {{ dbt.type_string() }}) as instrument,
        cast(analysis as {{ dbt.type_string() }}) as analysis,
        cast(step as integer) as step,
        cast(terms as {{ dbt.type_string() }}) as terms,
        cast(n as bigint) as n,
        cast(r_squared as double) as r_squared,
        cast(delta_r_squared as double) as delta_r_squared,
        cast(f_change as double) as f_change,
        cast(df as double) as df,
        cast(df_residual as double) as df_residual,
        cast(p_value as double) as p_value,
        cast(model_p_value as double) as model_p_value,
        cast(note as {{ dbt.type_string() }}) as note
    from steps

)

select * from final
