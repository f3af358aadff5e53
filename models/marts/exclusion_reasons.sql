-- Why participants did not meet the first criterion that they failed.
with

eligibility as (

    {{ judged_participants() }}

),

final as (

    select
        first_failed_criterion as criterion,
        exclusion_reason as reason,
        count(*) as participants
    from eligibility
    where first_failed_criterion is not null
    group by first_failed_criterion, exclusion_reason

)

select * from final
