-- Which months of the service stand out: beyond the limits of their series, or in runs and trends that chance makes rarely.
with

months as (

    select * from {{ ref('service_limits') }}

),

final as (

    {{ in_types_of_the_contract('months') }}

)

select * from final
