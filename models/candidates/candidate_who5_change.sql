-- Change is follow-up minus baseline; a positive screen is a baseline at or below the cut-off, recovery a follow-up above it, improvement a rise of at least the set points.
{{ config(alias='who5_change') }}
with

facts as (

    select * from {{ ref('participant_facts') }}

),

measured as (

    select
        participant_id,
        baseline_score,
        followup_score,
        followup_score - baseline_score as who5_change,
        follow_up_days,
        baseline_score <= {{ var('who5_cutoff') }} as screened_positive
    from facts
    where baseline_score is not null and followup_score is not null

),

final as (

    select
        *,
        screened_positive and followup_score > {{ var('who5_cutoff') }} as clinical_recovery,
        who5_change >= {{ var('improvement_points') }} as clinical_improvement
    from measured

)

select * from final
