-- Every provider's mean alliance beside that of their type, with what chance alone would let it be.
with

providers as (

    select * from {{ ref('provider_funnel') }}

),

final as (

    {{ in_types_of_the_contract('providers') }}

)

select * from final
