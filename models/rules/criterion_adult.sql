-- A participant is an adult when registered at 18 years or older; a missing age fails.
with

facts as (

    select * from {{ ref('participant_facts') }}

),

final as (

    select
        *,
        coalesce(age_years >= {{ var('adult_age') }}, false) as is_adult,
        case
            when age_years is null then 'age not recorded'
            when age_years < {{ var('adult_age') }} then 'younger than {{ var('adult_age') }}'
        end as adult_failure
    from facts

)

select * from final
