{#- The criteria in the order in which the study applies them, each with the column that answers it. -#}
{% macro eligibility_criteria() %}
    {{ return([
        {'name': 'adult', 'flag': 'is_adult'},
        {'name': 'sponsored', 'flag': 'is_sponsored'},
        {'name': 'registered', 'flag': 'is_registered'},
        {'name': 'session', 'flag': 'has_session'},
        {'name': 'baseline', 'flag': 'has_baseline'},
        {'name': 'followup', 'flag': 'has_followup'},
        {'name': 'rating', 'flag': 'has_rating'},
    ]) }}
{% endmacro %}
