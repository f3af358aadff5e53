{#- A path below the raw export inside a SQL string, in which the characters of a glob pattern stand for themselves. -#}
{% macro raw_path(path) -%}
    {{ env_var('RAPPORT_RAW', 'demo') | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') | replace("'", "''") }}/{{ path }}
{%- endmacro %}
