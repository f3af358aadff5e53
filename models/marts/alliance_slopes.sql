-- Well-being expected at follow-up along the alliance score, at low, mean and high values of each moderator.
with

lines as (

    select * from {{ ref('slope_findings') }}

),

final as (

    {{ in_types_of_the_contract('lines') }}

)

select * from final
