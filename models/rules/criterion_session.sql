-- A participant had a session when at least one was completed in the study window.
with

answered as (

    select * from {{ ref('criterion_registered') }}

),

final as (

    select
        *,
        coalesce(total_sessions, 0) >= 1 as has_session,
        case
            when total_sessions is null then 'no completed session in the study window'
        end as session_failure
    from answered

)

select * from final
