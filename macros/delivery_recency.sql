{#- 1 for the rows of a raw table that stand: of every key, those with the latest `loaded_at`.

    Nothing that the audit has to see may be ranked away: a row without `loaded_at` ties with nothing that is dated and
    comes first, and two different rows of one key and one moment are both 1 (the audit reports them as a duplicate
    key). Rows without a key are for the caller to keep. -#}
{% macro delivery_recency(key) -%}
    rank() over (partition by {{ key }} order by loaded_at desc nulls first)
{%- endmacro %}
