-- Every test, contrast and coefficient of the study in one table.
with

findings as (

    select * from {{ ref('findings') }}

),

final as (

    {{ in_types_of_the_contract('findings') }}

)

select * from final
