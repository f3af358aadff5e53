{#- What every guard's message ends with: the one var that accepts, for one build, what it refuses. -#}
{% macro if_right() -%}
    '; if this is right, build once with --vars ''{accept_volume_change: true}'''
{%- endmacro %}

{#- Severity of a guard's verdict: critical, unless this build accepts what changed. -#}
{% macro guard_severity() -%}
    '{{ "info" if var("accept_volume_change") else "critical" }}'
{%- endmacro %}
