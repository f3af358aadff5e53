-- A participant has a baseline when a scored assessment was completed before the first session.
with

answered as (

    select * from {{ ref('criterion_session') }}

),

final as (

    select
        *,
        baseline_score is not null as has_baseline,
        case
            when total_sessions is null then 'no session to date a baseline by'
            when baseline_score is null then 'no scored assessment before the first session'
        end as baseline_failure
    from answered

)

select * from final
