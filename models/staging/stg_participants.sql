-- Of the deliveries of one participant, the row with the latest `loaded_at` stands.
with

raw_rows as (

    select * from {{ ref('raw_participants') }}

),

deliveries as (

    select
        *,
        {{ delivery_recency('participant_id') }} as recency
    from raw_rows

),

final as (

    select distinct
        participant_id,
        registered_at,
        age_years,
        sex,
        country_code,
        employer_sponsored,
        loaded_at
    from deliveries
    where participant_id is null or recency = 1

)

select * from final
