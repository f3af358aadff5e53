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

{#- The answer to each criterion, in the study's order, and what follows from all of them. -#}
{% macro eligibility_columns() -%}
    {%- for criterion in eligibility_criteria() -%}
    {{ criterion.flag }},
        {% endfor -%}
    is_eligible,
        first_failed_criterion
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

{#- Baseline and follow-up of everyone with a baseline: `scores` has the scored assessments of an instrument. -#}
{% macro scores_around_care(scores, score, instrument) -%}
with

scores as (

    select * from {{ scores }}

),

care as (

    select * from {{ ref('care') }}

),

around_care as (

    select
        scores.participant_id,
        scores.completed_at,
        scores.{{ score }},
        scores.completed_at < care.first_session_at as is_before,
        {{ latest_first('scores.completed_at', 'scores.assessment_id') }} as latest_first
    from scores
    inner join care on scores.participant_id = care.participant_id
    where
        scores.completed_at < care.first_session_at
        or (
            scores.completed_at > care.last_session_at
            and {{ utc_date('scores.completed_at') }} <= date '{{ var("study_end") }}'
        )

),

-- The latest assessment after care is the farthest from the baseline: if it comes too soon, so do all others.
latest as (

    select
        participant_id,
        {%- for name, condition in {'baseline': 'is_before', 'followup': 'not is_before'}.items() %}
        min_by({{ score }}, latest_first) filter (where {{ condition }}) as {{ name }}_score,
        max(case when {{ condition }} then completed_at end) as {{ name }}_at
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from around_care
    group by participant_id

),

dated as (

    select
        *,
        {{ utc_date('baseline_at') }} as baseline_on,
        {{ utc_date('followup_at') }} as followup_on
    from latest
    where baseline_at is not null

),

counted as (

    select
        *,
        {{ dbt.datediff('baseline_on', 'followup_on', 'day') }} as days  -- noqa: LT05
    from dated

),

final as (

    select
        participant_id,
        baseline_at,
        baseline_score,
        case when days >= {{ value_of(instrument, 'followup_days') }} then followup_score end as followup_score,
        case when days >= {{ value_of(instrument, 'followup_days') }} then days end as follow_up_days
    from counted

)

select * from final
{%- endmacro %}

{#- The score of an assessment: points for each item, none where an item was skipped. -#}
{% macro score_of(instrument) -%}
    {{ value_of(instrument, 'points_per_item') }} * ({{ instrument['items'] | join(' + ') }})
{%- endmacro %}

{#- What the analyses ask of a participant, from their facts and the answers to the criteria. -#}
{% macro cohort_columns() -%}
    participant_id,
        {{ eligibility_columns() }},
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
{%- endmacro %}
