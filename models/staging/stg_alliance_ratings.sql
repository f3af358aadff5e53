-- Of the deliveries of one alliance rating, the row with the latest `loaded_at` stands.
with

raw_rows as (

    select * from {{ ref('raw_alliance_ratings') }}

),

deliveries as (

    select
        *,
        {{ delivery_recency('rating_id') }} as recency
    from raw_rows

),

final as (

    select distinct
        rating_id,
        session_id,
        submitted_at,
        bond_item,
        goals_item,
        loaded_at
    from deliveries
    where rating_id is null or recency = 1

)

select * from final
