-- Of the deliveries of one WHO-5 assessment, the row with the latest `loaded_at` stands.
with

deliveries as (

    select * from {{ ref('delivered_who5_assessments') }}

),

final as (

    select
        assessment_id,
        participant_id,
        completed_at,
        item_1,
        item_2,
        item_3,
        item_4,
        item_5,
        loaded_at
    from deliveries
    where standing = 'current'

)

select * from final
