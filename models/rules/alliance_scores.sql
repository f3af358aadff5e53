-- The alliance score is the sum of all answered items over a participant's ratings divided once by their number, so that equal scores tie exactly.
{{ config(
    materialized='incremental',
    incremental_strategy='touched',
    unique_key='participant_id',
    post_hook='{{ remember_definitions() }}'
) }}
with

ratings as (

    select * from {{ ref('study_ratings') }}
    {{ touched_only() }}

),

answers as (

    select
        participant_id,
        count(distinct session_id) as rated_sessions,
        count(bond_item) as bond_responses,
        count(goals_item) as goals_responses,
        sum(bond_item) as bond_sum,
        sum(goals_item) as goals_sum,
        count(bond_item + goals_item) as paired_ratings,
        {%- for name, product in {
            'bond': 'bond_item', 'goals': 'goals_item', 'bond_squares': 'bond_item * bond_item',
            'goals_squares': 'goals_item * goals_item', 'products': 'bond_item * goals_item'
        }.items() %}
        sum(case when bond_item + goals_item is not null then {{ product }} else 0 end) as paired_{{ name }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
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
        bond_responses + goals_responses as item_responses,
        paired_ratings,
        paired_bond,
        paired_goals,
        paired_bond_squares,
        paired_goals_squares,
        paired_products
    from answers

)

select * from final
