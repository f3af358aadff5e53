-- A participant's main provider gave most of their sessions, of several the one seen first; alliance is also taken from the first, the last and the first three rated sessions alone.
{%- set baseline = model_variables() | length - 1 %}
with

participants as (

    {{ participants_with_terms('is_eligible') }}

),

sessions as (

    select * from {{ ref('cohort_sessions') }}

),

provider_sessions as (

    select
        participant_id,
        provider_id,
        {{ whole_sum('sessions') }} as sessions,
        min(started_at) as first_session_at
    from sessions
    where provider_id is not null
    group by participant_id, provider_id

),

ranked_providers as (

    select
        participant_id,
        provider_id,
        row_number() over (
            partition by participant_id order by sessions desc, first_session_at asc, provider_id asc
        ) as place
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
        {%- set is_last_variant = loop.last %}
        {%- for column in ['item_sum', 'item_responses'] %}
        {{ whole_sum('case when ' ~ condition ~ ' then ' ~ column ~ ' end') }} as {{ variant }}_{{ column }}
        {%- if not (is_last_variant and loop.last) %},{% endif %}
        {%- endfor %}
        {%- endfor %}
    from sessions
    where item_responses > 0
    group by participant_id

),

final as (

    select
        participants.participant_id,
        -- Nobody shares a provider with those who have none; the prefix keeps an id of the one kind from being one of
        -- the other.
        coalesce('provider ' || main_providers.provider_id, 'participant ' || participants.participant_id)
            as main_provider,
        participants.rater_class,
        participants.sex,
        participants.screened_positive,
        case
            when participants.term_{{ baseline }} <= 28 then 28
            when participants.term_{{ baseline }} <= 50 then 50
        end as cutoff,
        case
            when participants.follow_up_days >= 28 then 28
            when participants.follow_up_days >= 14 then 14
            when participants.follow_up_days >= 7 then 7
            else 0
        end as min_days,
        participants.others_known,
        participants.predictors_known,
        {{ named_terms('participants.') }}
        {{ alliance_in_units('participants.item_sum', 'participants.item_responses') }} as alliance_mean,
        {{ alliance_in_units('answers.first_item_sum', 'answers.first_item_responses') }} as alliance_first,
        {{ alliance_in_units('answers.last_item_sum', 'answers.last_item_responses') }} as alliance_last,
        {{ alliance_in_units('answers.first_sessions_item_sum', 'answers.first_sessions_item_responses') }}
            as alliance_first_sessions
    from participants
    inner join answers on participants.participant_id = answers.participant_id
    left join main_providers on participants.participant_id = main_providers.participant_id

)

select * from final
