-- Of the deliveries of one WHO-5 assessment, the row with the latest `loaded_at` stands.
with

raw_rows as (

    select * from {{ ref('raw_who5_assessments') }}

),

deliveries as (

    select
        *,
        {{ delivery_recency('assessment_id') }} as recency
    from raw_rows

),

final as (

    select distinct
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
    where assessment_id is null or recency = 1

)

select * from final
