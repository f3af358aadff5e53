-- Every test, contrast and coefficient of Aims 2 and 3, for every instrument of the study.
with

findings as (

    select * from {{ ref('outcome_findings') }}

),

final as (

    {{ in_types_of_the_contract('findings') }}

)

select * from final
