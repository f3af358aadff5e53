-- A participant counts once with every provider whose sessions they rated, by the score of all their answers there; sessions that name no provider are summed by type.
-- depends_on: {{ ref('gate_candidates') }}
with

sessions as (

    select * from {{ ref('cohort_sessions') }}

),

answers as (

    select
        provider_type,
        provider_id,
        participant_id,
        {{ whole_sum('sessions') }} as rated_sessions,
        {{ whole_sum('item_sum') }} as item_sum,
        {{ whole_sum('item_responses') }} as item_responses
    from sessions
    where item_responses > 0
    group by provider_type, provider_id, participant_id

),

scores as (

    select
        provider_type,
        provider_id,
        rated_sessions,
        {{ alliance_in_units('item_sum', 'item_responses') }} as alliance
    from answers

),

final as (

    select
        provider_type,
        provider_id,
        cast({{ alliance_unit() }} as bigint) as unit,
        {{ whole_sum('rated_sessions') }} as rated_sessions,
        count(*) as participants,
        {{ wide_text('alliance') }} as alliance,
        {{ wide_text(wide_product('alliance', 'alliance')) }} as alliance_squares
    from scores
    group by provider_type, provider_id

)

select * from final
