-- How often each pair of age and alliance score occurs: all that the rank correlation needs to know of the cohort.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    {{ cohort_in_whole_numbers() }}

),

final as (

    select
        age_years,
        {{ alliance_quotient() }},
        count(*) as participants
    from cohort
    group by age_years, alliance_score

)

select * from final
