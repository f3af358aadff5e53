-- A participant's main provider gave most of their sessions, of several the one seen first; alliance is also taken from the first, the last and the first three rated sessions alone.
with

judged as (

    {{ judged_participants() }}

),

facts as (

    select * from judged
    where is_eligible

),

sessions as (

    select * from {{ ref('cohort_sessions') }}

),

provider_sessions as (

    select
        participant_id,
        provider_id,
        count(*) as sessions,
        min(started_at) as first_session_at
    from sessions
    where provider_id is not null
    group by participant_id, provider_id

),

ranked_providers as (

    select
        participant_id,
        provider_id,
        row_number() over (partition by participant_id order by sessions desc, first_session_at asc, provider_id asc) as place
    from provider_sessions

),

main_providers as (

    select
        participant_id,
        provider_id
    from ranked_providers
    where place = 1

),

answers as (

    select
        participant_id,
        {%- for variant, condition in {
            'first': 'rated_number = 1', 'last': 'rated_number = rated_sessions', 'first_sessions': 'rated_number <= 3'
        }.items() %}
        {%- for column in ['item_sum', 'item_responses'] %}
        {{ whole_sum('case when ' ~ condition ~ ' then ' ~ column ~ ' end') }} as {{ variant }}_{{ column }},
        {%- endfor %}
        {%- endfor %}
        count(*) as rated_sessions
    from sessions
    where item_responses > 0
    group by participant_id

),

final as (

    select
        facts.participant_id,
        -- Nobody shares a provider with those who have none; the prefix keeps an id of the one kind from being one of the other.
        coalesce('provider ' || main_providers.provider_id, 'participant ' || facts.participant_id) as main_provider,
        facts.utilization_type,
        facts.sex,
        {{ is_positive(outcome(), 'facts.baseline_score') }} as screened_positive,
        facts.follow_up_days,
        cast(facts.age_years as bigint) as age_years,
        case when facts.sex = 'male' then cast(1 as bigint) else cast(0 as bigint) end as male,
        cast(facts.time_in_care_days as bigint) as time_in_care,
        cast(facts.baseline_score as bigint) as baseline_score,
        cast(facts.followup_score as bigint) as followup_score,
        facts.total_sessions,
        {{ alliance_in_units('(facts.bond_sum + facts.goals_sum)', '(facts.bond_responses + facts.goals_responses)') }}
            as alliance_mean,
        {{ alliance_in_units('answers.first_item_sum', 'answers.first_item_responses') }} as alliance_first,
        {{ alliance_in_units('answers.last_item_sum', 'answers.last_item_responses') }} as alliance_last,
        {{ alliance_in_units('answers.first_sessions_item_sum', 'answers.first_sessions_item_responses') }}
            as alliance_first_sessions
    from facts
    inner join answers on facts.participant_id = answers.participant_id
    left join main_providers on facts.participant_id = main_providers.participant_id

)

select * from final
