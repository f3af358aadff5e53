-- Of the deliveries of one participant, the row with the latest `loaded_at` stands.
with

deliveries as (

    select * from {{ ref('delivered_participants') }}

),

final as (

    select
        participant_id,
        registered_at,
        age_years,
        sex,
        country_code,
        employer_sponsored,
        loaded_at
    from deliveries
    where standing = 'current'

)

select * from final
