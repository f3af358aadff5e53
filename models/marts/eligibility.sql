-- A participant is eligible when every criterion holds; the first that fails, in the study's order, is the reason kept.
with

judged as (

    {{ judged_participants() }}

),

final as (

    select
        participant_id,
        {{ eligibility_columns() }},
        exclusion_reason
    from judged

)

select * from final
