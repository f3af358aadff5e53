-- A participant is sponsored when the employer's mental-health benefit covers them.
with

answered as (

    select * from {{ ref('criterion_adult') }}

),

final as (

    select
        *,
        coalesce(employer_sponsored, false) as is_sponsored,
        case
            when employer_sponsored is null then 'benefit not recorded'
            when not employer_sponsored then 'no employer benefit'
        end as sponsored_failure
    from answered

)

select * from final
