{#- A session counts when it was completed and its UTC date lies in the study window, both days included. -#}
{% macro study_sessions() -%}
    select
        session_id,
        participant_id,
        provider_type,
        started_at
    from {{ ref('stg_sessions') }}
    where
        status = 'completed'
        and {{ utc_date('started_at') }} between date '{{ var("study_start") }}' and date '{{ var("study_end") }}'
{%- endmacro %}

{#- A participant's alliance from the sums of their answers. -#}
{% macro alliance_columns() -%}
    cast(bond_sum + goals_sum as double) / (bond_responses + goals_responses) as alliance_score,
        cast(bond_sum as double) / nullif(bond_responses, 0) as bond_mean,
        cast(goals_sum as double) / nullif(goals_responses, 0) as goals_mean,
        rated_sessions,
        bond_responses + goals_responses as item_responses
{%- endmacro %}

{#- A participant's well-being before and after care: a positive screen is a baseline at or below the cut-off, recovery a
    follow-up above it, improvement a rise of at least the set points. -#}
{% macro change_columns() -%}
    baseline_score,
        followup_score,
        followup_score - baseline_score as who5_change,
        follow_up_days,
        baseline_score <= {{ var('who5_cutoff') }} as screened_positive,
        baseline_score <= {{ var('who5_cutoff') }} and followup_score > {{ var('who5_cutoff') }} as clinical_recovery,
        followup_score - baseline_score >= {{ var('improvement_points') }} as clinical_improvement
{%- endmacro %}
