-- Counts, sums, squares and products of every instrument at baseline and follow-up among those of the cohort who screened positive by it.
-- depends_on: {{ ref('gate_outcomes') }}
with

cohort as (

    {{ cohort_by_instrument() }}

),

final as (

    select
        instrument,
        utilization_type,
        {{ sums_of_change() }}
    from cohort
    where screened_positive
    group by instrument, utilization_type

)

select * from final
