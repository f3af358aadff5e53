-- What the study asks of a participant, gathered once: account, care, baseline, follow-up and answers, each null where there is none.
with

participants as (

    select * from {{ ref('stg_participants') }}

),

care as (

    select * from {{ ref('care') }}

),

scores as (

    select * from {{ ref('baseline_and_followup') }}

),

answers as (

    select * from {{ ref('alliance_answers') }}

),

final as (

    select
        participants.participant_id,
        participants.registered_at,
        participants.age_years,
        participants.sex,
        participants.country_code = '{{ var("home_country") }}' as within_usa,
        participants.employer_sponsored,
        care.utilization_type,
        care.total_sessions,
        care.time_in_care_days,
        scores.baseline_at,
        scores.baseline_score,
        scores.followup_score,
        scores.follow_up_days,
        {%- for fact in study().facts %}
        {{ fact.sql }} as {{ fact.id }},
        {%- endfor %}
        answers.rated_sessions,
        answers.bond_responses,
        answers.goals_responses,
        answers.bond_sum,
        answers.goals_sum,
        answers.paired_ratings,
        answers.paired_bond,
        answers.paired_goals,
        answers.paired_bond_squares,
        answers.paired_goals_squares,
        answers.paired_products
    from participants
    left join care on participants.participant_id = care.participant_id
    left join scores on participants.participant_id = scores.participant_id
    left join answers on participants.participant_id = answers.participant_id

)

select * from final
