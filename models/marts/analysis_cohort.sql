-- The cohort is everyone eligible, with all that the analyses ask of a participant.
with

judged as (

    {{ judged_participants() }}

),

final as (

    select
        {{ cohort_columns() }}
    from judged
    where is_eligible

)

select * from final
