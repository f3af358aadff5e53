-- The alliance score is the sum of all answered items over a participant's ratings divided once by their number, so that equal scores tie exactly.
{{ config(materialized='table') }}
with

ratings as (

    select * from {{ ref('study_ratings') }}

),

answers as (

    select
        participant_id,
        count(distinct session_id) as rated_sessions,
        count(bond_item) as bond_responses,
        count(goals_item) as goals_responses,
        sum(bond_item) as bond_sum,
        sum(goals_item) as goals_sum
    from ratings
    group by participant_id

),

final as (

    select
        participant_id,
        cast(coalesce(bond_sum, 0) + coalesce(goals_sum, 0) as double)
        / (bond_responses + goals_responses) as alliance_score,
        cast(bond_sum as double) / nullif(bond_responses, 0) as bond_mean,
        cast(goals_sum as double) / nullif(goals_responses, 0) as goals_mean,
        rated_sessions,
        bond_responses + goals_responses as item_responses
    from answers

)

select * from final
