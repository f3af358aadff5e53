-- A rating counts when it rates a session of the study and at least one of its two items is answered; of every participant the answers are summed.
with

ratings as (

    select * from {{ ref('stg_alliance_ratings') }}

),

sessions as (

    {{ study_sessions() }}

),

study_ratings as (

    select
        sessions.participant_id,
        ratings.session_id,
        ratings.bond_item,
        ratings.goals_item,
        case when ratings.goals_item is not null then ratings.bond_item end as paired_bond,
        case when ratings.bond_item is not null then ratings.goals_item end as paired_goals
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
        count(paired_bond) as paired_ratings,
        {%- for name, summand in {
            'bond_sum': 'bond_item',
            'goals_sum': 'goals_item',
            'paired_bond': 'paired_bond',
            'paired_goals': 'paired_goals',
            'paired_bond_squares': 'paired_bond * paired_bond',
            'paired_goals_squares': 'paired_goals * paired_goals',
            'paired_products': 'paired_bond * paired_goals',
        }.items() %}
        coalesce({{ whole_sum(summand) }}, 0) as {{ name }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from study_ratings
    group by participant_id

)

select * from final
