-- The cohort is everyone eligible, with all that the analyses ask of a participant.
with

judged as (

    {{ judged_participants() }}

),

final as (

    select
        participant_id,
        {%- for criterion in eligibility_criteria() %}
        {{ criterion.flag }},
        {%- endfor %}
        is_eligible,
        first_failed_criterion,
        {{ alliance_columns() }},
        {{ change_columns(outcome(), 'who5_change') }},
        age_years,
        sex,
        within_usa,
        utilization_type,
        total_sessions,
        {%- for fact in study().facts %}
        {{ fact.id }},
        {%- endfor %}
        time_in_care_days
    from judged
    where is_eligible

)

select * from final
