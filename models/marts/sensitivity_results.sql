-- Every test, contrast, coefficient and rate with which a choice of the study is tested, in the columns of the findings.
with

findings as (

    select * from {{ ref('sensitivity_findings') }}

),

final as (

    {{ in_types_of_the_contract('findings') }}

)

select * from final
