-- A participant has a follow-up when a scored assessment was completed after the last session, by the study's end and long enough after the baseline.
with

answered as (

    select * from {{ ref('criterion_baseline') }}

),

final as (

    select
        *,
        followup_score is not null as has_followup,
        case
            when baseline_score is null then 'no baseline to count days from'
            when
                followup_score is null
                then
                    'no scored assessment in time after the last session'
        end as followup_failure
    from answered

)

select * from final
