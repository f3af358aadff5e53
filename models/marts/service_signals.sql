-- Which months of the service stand out: beyond the limits of their series, or in runs and trends that chance makes rarely.
with

months as (

    select * from {{ ref('service_limits') }}

),

final as (

    select
        cast(month as date) as month,
        cast(provider_type as {{ dbt.type_string() }}) as provider_type,
        cast(measure as {{ dbt.type_string() }}) as measure,
        cast(value as double) as value,
        cast(mean as double) as mean,
        cast(lower_limit as double) as lower_limit,
        cast(upper_limit as double) as upper_limit,
        cast(outside_limits as boolean) as outside_limits,
        cast(shift as boolean) as shift,
        cast(trend as boolean) as trend,
        cast(near_limit as boolean) as near_limit
    from months

)

select * from final
