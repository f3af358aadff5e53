-- How much each step of each regression adds, for every instrument of the study.
with

steps as (

    select * from {{ ref('outcome_regression_fit') }}

),

final as (

    {{ in_types_of_the_contract('steps') }}

)

select * from final
