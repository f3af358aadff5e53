-- The alliance of everyone who rated a session of the study, eligible or not.
{{ config(alias='participant_alliance') }}
with

alliance as (

    select * from {{ ref('alliance_scores') }}

),

final as (

    select
        participant_id,
        alliance_score,
        bond_mean,
        goals_mean,
        rated_sessions,
        item_responses
    from alliance

)

select * from final
