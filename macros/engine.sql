{#- What one engine says differently from another. Each macro dispatches, and says why it exists. -#}

{#- The UTC date of a timestamp without zone. DuckDB and Spark agree on the cast; an engine whose timestamps carry a
    session zone does not. -#}
{% macro utc_date(expression) -%}
    {{ return(adapter.dispatch('utc_date', 'rapport')(expression)) }}
{%- endmacro %}

{% macro default__utc_date(expression) -%}
    cast({{ expression }} as date)
{%- endmacro %}

{#- Whole days from one date to another: `-` gives days in DuckDB and an interval in Spark. -#}
{% macro days_between(first_date, last_date) -%}
    {{ return(adapter.dispatch('days_between', 'rapport')(first_date, last_date)) }}
{%- endmacro %}

{% macro default__days_between(first_date, last_date) -%}
    date_diff('day', {{ first_date }}, {{ last_date }})
{%- endmacro %}

{% macro spark__days_between(first_date, last_date) -%}
    datediff({{ last_date }}, {{ first_date }})
{%- endmacro %}

{#- Ends the query with a message: the function that raises has another name in every engine. -#}
{% macro raise_error(message) -%}
    {{ return(adapter.dispatch('raise_error', 'rapport')(message)) }}
{%- endmacro %}

{% macro default__raise_error(message) -%}
    error({{ message }})
{%- endmacro %}

{% macro spark__raise_error(message) -%}
    raise_error({{ message }})
{%- endmacro %}

{#- Strings of a group joined in order: standard `listagg` is not in every engine. -#}
{% macro join_strings(expression, separator, order_by) -%}
    {{ return(adapter.dispatch('join_strings', 'rapport')(expression, separator, order_by)) }}
{%- endmacro %}

{% macro default__join_strings(expression, separator, order_by) -%}
    string_agg({{ expression }}, {{ separator }} order by {{ order_by }})
{%- endmacro %}

{% macro spark__join_strings(expression, separator, order_by) -%}
    array_join(
        transform(sort_array(collect_list(struct({{ order_by }}, {{ expression }}))), pair -> pair.col2),
        {{ separator }}
    )
{%- endmacro %}

{#- Around a model that sums fractions: the rows are sorted, and one thread adds them up in that order, so that equal data
    give equal figures to the last bit. DuckDB's threads add their parts up in any order; an engine without this
    setting needs exact sums. -#}
{% macro sum_in_order() -%}
    {{ return(adapter.dispatch('sum_in_order', 'rapport')()) }}
{%- endmacro %}

{% macro default__sum_in_order() -%}
    set threads = 1
{%- endmacro %}

{% macro sum_in_any_order() -%}
    {{ return(adapter.dispatch('sum_in_any_order', 'rapport')()) }}
{%- endmacro %}

{% macro default__sum_in_any_order() -%}
    reset threads
{%- endmacro %}
