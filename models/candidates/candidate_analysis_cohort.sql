-- The cohort is everyone eligible, with all that the analyses ask of a participant.
{{ config(alias='analysis_cohort') }}
with

eligibility as (

    select * from {{ ref('candidate_eligibility') }}

),

alliance as (

    select * from {{ ref('candidate_participant_alliance') }}

),

changes as (

    select * from {{ ref('candidate_who5_change') }}

),

facts as (

    select * from {{ ref('participant_facts') }}

),

final as (

    select
        eligibility.participant_id,
        {%- for criterion in eligibility_criteria() %}
        eligibility.{{ criterion.flag }},
        {%- endfor %}
        eligibility.is_eligible,
        eligibility.first_failed_criterion,
        alliance.alliance_score,
        alliance.bond_mean,
        alliance.goals_mean,
        alliance.rated_sessions,
        alliance.item_responses,
        changes.baseline_score,
        changes.followup_score,
        changes.who5_change,
        changes.follow_up_days,
        changes.screened_positive,
        changes.clinical_recovery,
        changes.clinical_improvement,
        facts.age_years,
        facts.sex,
        facts.within_usa,
        facts.utilization_type,
        facts.total_sessions,
        facts.time_in_care_days
    from eligibility
    inner join facts on eligibility.participant_id = facts.participant_id
    -- Left joins: an eligible participant without a score or a change has to reach the audit, not vanish.
    left join alliance on eligibility.participant_id = alliance.participant_id
    left join changes on eligibility.participant_id = changes.participant_id
    where eligibility.is_eligible

)

select * from final
-- One order of rows, whatever the order of deliveries: it decides the last bits of a sum of fractions.
order by participant_id
