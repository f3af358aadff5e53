-- A participant had a session when at least one was completed in the study window.
with

answered as (

    select * from {{ ref('criterion_registered') }}

),

final as (

    select
        *,
        coalesce(total_sessions, 0) >= {{ var('min_sessions') }} as has_session,
        case
            when coalesce(total_sessions, 0) < {{ var('min_sessions') }}
                then 'too few completed sessions in the study window'
        end as session_failure
    from answered

)

select * from final
