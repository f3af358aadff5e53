{#- The criteria in the order in which the study applies them. Each has a name, the column that answers it, the condition over
    a participant's facts under which it holds (a missing answer fails), and the reason of a failure. -#}
{% macro eligibility_criteria() %}
    {{ return([
        {
            'name': 'adult',
            'flag': 'is_adult',
            'condition': "age_years >= " ~ var('adult_age'),
            'reason': "case when age_years is null then 'age not recorded' else 'younger than " ~ var('adult_age') ~ "' end",
        },
        {
            'name': 'sponsored',
            'flag': 'is_sponsored',
            'condition': 'employer_sponsored',
            'reason': "case when employer_sponsored is null then 'benefit not recorded' else 'no employer benefit' end",
        },
        {
            'name': 'registered',
            'flag': 'is_registered',
            'condition': 'registered_at is not null',
            'reason': "'never finished registering'",
        },
        {
            'name': 'session',
            'flag': 'has_session',
            'condition': 'total_sessions >= ' ~ var('min_sessions'),
            'reason': "'too few completed sessions in the study window'",
        },
        {
            'name': 'baseline',
            'flag': 'has_baseline',
            'condition': 'baseline_score is not null',
            'reason': "case when total_sessions is null then 'no session to date a baseline by'"
                ~ " else 'no scored assessment before the first session' end",
        },
        {
            'name': 'followup',
            'flag': 'has_followup',
            'condition': 'followup_score is not null',
            'reason': "case when baseline_score is null then 'no baseline to count days from'"
                ~ " else 'no scored assessment in time after the last session' end",
        },
        {
            'name': 'rating',
            'flag': 'has_rating',
            'condition': 'rated_sessions >= 1',
            'reason': "case when total_sessions is null then 'no session to rate'"
                ~ " else 'no answered rating of a session' end",
        },
    ]) }}
{% endmacro %}

{#- The facts of every participant with the study's answer to each criterion, whether all hold, the first that fails and why. -#}
{% macro judged_participants() -%}
    {%- set criteria = eligibility_criteria() -%}
    select
        *,
        {{ criteria | map(attribute='flag') | join(' and ') }} as is_eligible,
        case
            {%- for criterion in criteria %}
            when not {{ criterion.flag }} then '{{ criterion.name }}'
            {%- endfor %}
        end as first_failed_criterion,
        case
            {%- for criterion in criteria %}
            when not {{ criterion.flag }} then {{ criterion.reason }}
            {%- endfor %}
        end as exclusion_reason
    from (
        select
            *,
            {%- for criterion in criteria %}
            coalesce({{ criterion.condition }}, false) as {{ criterion.flag }}{% if not loop.last %},{% endif %}
            {%- endfor %}
        from {{ ref('participant_facts') }}
    ) as answered
{%- endmacro %}
