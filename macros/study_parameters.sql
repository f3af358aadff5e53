{#- The rules of the study that the paper prints as numbers, by the names of seeds/printed_figures.csv: the study's vars and
    instruments, and the scale of alliance that its source declares. -#}
{% macro study_parameters() %}
    {%- set parameters = {} %}
    {%- for variable in study().vars %}
        {%- set value = var(variable.name) | string | replace('-', '') %}
        {%- if value | int(-1) >= 0 %}
            {%- do parameters.update({variable.printed_as: value | int}) %}
        {%- endif %}
    {%- endfor %}
    {%- for instrument in study().instruments %}
        {%- set points = value_of(instrument, 'points_per_item') %}
        {%- do parameters.update({
            instrument.id ~ '_multiplier': points,
            instrument.id ~ '_score_min': points * (instrument['items'] | length) * instrument.item_minimum,
            instrument.id ~ '_score_max': points * (instrument['items'] | length) * instrument.item_maximum,
        }) %}
        {%- do parameters.update(scale_parameters(
            instrument.id, instrument['items'] | length, instrument.item_minimum, instrument.item_maximum
        )) %}
    {%- endfor %}
    {%- do source('raw', 'alliance_ratings') %}
    {%- if execute %}
        {%- set columns = graph.sources['source.' ~ project_name ~ '.raw.alliance_ratings'].columns.values() | list %}
        {%- set items = columns | selectattr('config.meta.maximum', 'defined') | map(attribute='config.meta') | list %}
        {%- do parameters.update(
            scale_parameters('alliance', items | length, items[0].minimum, items[0].maximum)
        ) %}
    {%- endif %}
    {{ return(parameters) }}
{% endmacro %}

{% macro scale_parameters(scale, items, minimum, maximum) %}
    {{ return({
        scale ~ '_item_count': items,
        scale ~ '_item_min': minimum,
        scale ~ '_item_max': maximum,
        scale ~ '_item_levels': maximum - minimum + 1,
    }) }}
{% endmacro %}
