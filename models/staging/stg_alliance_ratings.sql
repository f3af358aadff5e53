-- Of the deliveries of one alliance rating, the row with the latest `loaded_at` stands.
with

deliveries as (

    select * from {{ ref('delivered_alliance_ratings') }}

),

final as (

    select
        rating_id,
        session_id,
        submitted_at,
        bond_item,
        goals_item,
        loaded_at
    from deliveries
    where standing = 'current'

)

select * from final
