{#- A session counts when it was completed and its UTC date lies in the study window, both days included. -#}
{% macro study_sessions(more=[]) -%}
    select
        session_id,
        participant_id,
        provider_type,
        {%- for column in more %}
        {{ column }},
        {%- endfor %}
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

{#- Whether a score screens positive: at or below the cut-off where higher is better, at or above it where lower is. -#}
{% macro is_positive(instrument, score) -%}
    {{ score }} {{ '<=' if instrument.is_higher_better else '>=' }} {{ value_of(instrument, 'cutoff') }}
{%- endmacro %}

{#- A participant's well-being before and after care: recovery is a positive screen at baseline and none at follow-up,
    improvement a change for the better of at least the set points. -#}
{% macro change_columns(instrument, change) -%}
    baseline_score,
        followup_score,
        followup_score - baseline_score as {{ change }},
        follow_up_days,
        {{ is_positive(instrument, 'baseline_score') }} as screened_positive,
        {{ is_positive(instrument, 'baseline_score') }} and not ({{ is_positive(instrument, 'followup_score') }})
            as clinical_recovery,
        {{ 'followup_score - baseline_score' if instrument.is_higher_better else 'baseline_score - followup_score' }}
        >= {{ value_of(instrument, 'improvement') }} as clinical_improvement
{%- endmacro %}
