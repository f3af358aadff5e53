-- A rating counts when it rates a session of the study and at least one of its two items is answered; of every participant the answers are summed.
with

ratings as (

    select * from {{ ref('stg_alliance_ratings') }}

),

sessions as (

    select * from {{ ref('study_sessions') }}

),

study_ratings as (

    select
        sessions.participant_id,
        ratings.session_id,
        ratings.bond_item,
        ratings.goals_item,
        ratings.bond_item is not null and ratings.goals_item is not null as is_paired
    from ratings
    inner join sessions on ratings.session_id = sessions.session_id
    where ratings.bond_item is not null or ratings.goals_item is not null

),

final as (

    select
        participant_id,
        count(distinct session_id) as rated_sessions,
        count(bond_item) as bond_responses,
        count(goals_item) as goals_responses,
        coalesce(sum(bond_item), 0) as bond_sum,
        coalesce(sum(goals_item), 0) as goals_sum,
        count(case when is_paired then 1 end) as paired_ratings,
        {%- for name, product in {
            'bond': 'bond_item', 'goals': 'goals_item', 'bond_squares': 'bond_item * bond_item',
            'goals_squares': 'goals_item * goals_item', 'products': 'bond_item * goals_item'
        }.items() %}
        sum(case when is_paired then {{ product }} else 0 end) as paired_{{ name }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from study_ratings
    group by participant_id

)

select * from final
