{#- The rules of the study that the paper prints as numbers, by the names of seeds/printed_figures.csv: vars, and the
    scales that the sources declare. Values are SQL over the model `build`. -#}
{% macro study_parameters() %}
    {%- set parameters = {
        'study_start': "strftime(study_start, '%Y%m%d')",
        'study_end': "strftime(study_end, '%Y%m%d')",
        'min_age': 'adult_age',
        'min_followup_days': 'min_followup_days',
        'who5_cutoff': 'who5_cutoff',
        'improvement_points': 'improvement_points',
        'min_sessions': var('min_sessions'),
        'who5_multiplier': var('who5_points_per_item'),
    } %}
    {%- for scale, table in {'who5': 'who5_assessments', 'alliance': 'alliance_ratings'}.items() %}
        {%- do source('raw', table) %}
        {%- if execute %}
            {%- set columns = graph.sources['source.' ~ project_name ~ '.raw.' ~ table].columns.values() | list %}
            {%- set items = columns | selectattr('config.meta.maximum', 'defined') | map(attribute='config.meta') | list %}
            {%- do parameters.update({
                scale ~ '_item_count': items | length,
                scale ~ '_item_min': items[0].minimum,
                scale ~ '_item_max': items[0].maximum,
                scale ~ '_item_levels': items[0].maximum - items[0].minimum + 1,
            }) %}
        {%- endif %}
    {%- endfor %}
    {%- if execute %}
        {%- set points = var('who5_points_per_item') * parameters['who5_item_count'] %}
        {%- do parameters.update({
            'who5_score_min': points * parameters['who5_item_min'],
            'who5_score_max': points * parameters['who5_item_max'],
        }) %}
    {%- endif %}
    {{ return(parameters) }}
{% endmacro %}
