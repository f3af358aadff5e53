-- A participant has a rating when at least one rating of a study session has an answered item.
with

answered as (

    select * from {{ ref('criterion_followup') }}

),

final as (

    select
        *,
        coalesce(rated_sessions, 0) >= 1 as has_rating,
        case
            when total_sessions is null then 'no session to rate'
            when rated_sessions is null then 'no answered rating of a session'
        end as rating_failure
    from answered

)

select * from final
