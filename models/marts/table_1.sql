-- Table 1: demographic, clinical and utilization characteristics of the cohort, by utilization type and in total.
with

figures as (

    select * from {{ ref('table_1_figures') }}

),

final as (

    {{ in_types_of_the_contract('figures') }}

)

select * from final
