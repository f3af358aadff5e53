{#- How a declared type is read from a part file.

    The gate on the files (gate_files) has already shown that every value can be read as its declared type, so these
    casts lose nothing. CSV has no types: a timestamp is text there, and only the cast through TIMESTAMPTZ honours a
    written offset (a cast straight to TIMESTAMP drops it in silence). -#}
{% macro read_varchar(column) -%}
    cast({{ column }} as varchar)
{%- endmacro %}

{#- An empty key is an absent key: CSV cannot tell the two apart, so neither may Parquet. -#}
{% macro read_key(column) -%}
    nullif(cast({{ column }} as varchar), '')
{%- endmacro %}

{% macro read_integer(column) -%}
    cast({{ column }} as integer)
{%- endmacro %}

{% macro read_boolean(column) -%}
    cast({{ column }} as boolean)
{%- endmacro %}

{% macro read_timestamp(column) -%}
    {%- if env_var('RAPPORT_RAW_FORMAT', 'parquet') == 'csv' -%}
        cast({{ column }} as timestamptz) at time zone 'UTC'
    {%- else -%}
        cast({{ column }} as timestamp)
    {%- endif -%}
{%- endmacro %}
