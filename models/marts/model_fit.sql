-- How much each step of each regression adds.
with

steps as (

    select * from {{ ref('regression_fit') }}

),

final as (

    {{ in_types_of_the_contract('steps') }}

)

select * from final
