{#- A layer's schema has the layer's name (marts, not main_marts): readers find the same names in every database. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ target.schema if custom_schema_name is none else custom_schema_name | trim }}
{%- endmacro %}
