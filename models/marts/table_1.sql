-- Table 1: demographic, clinical and utilization characteristics of the cohort, by utilization type and in total.
with

figures as (

    select * from {{ ref('table_1_figures') }}

),

final as (

    select
        cast(variable as {{ dbt.type_string() }}) as variable,
        cast(level as {{ dbt.type_string() }}) as level,
        cast(utilization_type as {{ dbt.type_string() }}) as utilization_type,
        cast(statistic as {{ dbt.type_string() }}) as statistic,
        cast(value as double) as value,
        cast(percentile as double) as percentile
    from figures

)

select * from final
