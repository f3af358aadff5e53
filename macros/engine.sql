{#- What one engine says differently from another. Each macro dispatches, and says why it exists. -#}

{#- The UTC date of a timestamp without zone. DuckDB and Spark agree on the cast; an engine whose timestamps carry a
    session zone does not. -#}
{% macro utc_date(expression) -%}
    {{ return(adapter.dispatch('utc_date', 'rapport')(expression)) }}
{%- endmacro %}

{% macro default__utc_date(expression) -%}
    cast({{ expression }} as date)
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

{#- A 64-bit hash of a key: every engine has one of its own, and only equality within a build is asked of it. -#}
{% macro hash_of(expression) -%}
    {{ return(adapter.dispatch('hash_of', 'rapport')(expression)) }}
{%- endmacro %}

{% macro default__hash_of(expression) -%}
    hash({{ expression }})
{%- endmacro %}

{% macro spark__hash_of(expression) -%}
    xxhash64({{ expression }})
{%- endmacro %}

{#- A sort key by which the latest moment comes first, and of several at one moment the smallest id: a pair of values is
    written differently in every engine. -#}
{% macro latest_first(moment, id) -%}
    {{ return(adapter.dispatch('latest_first', 'rapport')(moment, id)) }}
{%- endmacro %}

{% macro default__latest_first(moment, id) -%}
    {'moment': -epoch_us({{ moment }}), 'id': {{ id }}}
{%- endmacro %}

{% macro spark__latest_first(moment, id) -%}
    struct(-unix_micros(cast({{ moment }} as timestamp)) as moment, {{ id }} as id)
{%- endmacro %}

{#- An exact sum of whole numbers that may outgrow 64 bits. DuckDB adds 64-bit numbers up in 128 bits, other engines in
    decimals of 38 digits. -#}
{% macro wide_sum(expression) -%}
    {{ return(adapter.dispatch('wide_sum', 'rapport')(expression)) }}
{%- endmacro %}

{% macro default__wide_sum(expression) -%}
    sum({{ expression }})
{%- endmacro %}

{% macro spark__wide_sum(expression) -%}
    sum(cast({{ expression }} as decimal(38, 0)))
{%- endmacro %}

{#- The exact product of two whole numbers of up to 19 digits. -#}
{% macro wide_product(first, second) -%}
    {{ return(adapter.dispatch('wide_product', 'rapport')(first, second)) }}
{%- endmacro %}

{% macro default__wide_product(first, second) -%}
    cast({{ first }} as hugeint) * {{ second }}
{%- endmacro %}

{% macro spark__wide_product(first, second) -%}
    cast({{ first }} as decimal(19, 0)) * cast({{ second }} as decimal(19, 0))
{%- endmacro %}

{#- A sum of fractional numbers that does not depend on the order of the rows, nor on the number of threads: each is
    rounded to a multiple of 2⁻⁶⁰, and these are added up as whole numbers. -#}
{% macro fixed_point_sum(expression) -%}
    {{ return(adapter.dispatch('fixed_point_sum', 'rapport')(expression)) }}
{%- endmacro %}

{% macro default__fixed_point_sum(expression) -%}
    cast(sum(cast(round({{ expression }} * pow(2, 60)) as hugeint)) as double) / pow(2, 60)
{%- endmacro %}

{% macro spark__fixed_point_sum(expression) -%}
    cast(sum(cast(round({{ expression }} * pow(2, 60)) as decimal(38, 0))) as double) / pow(2, 60)
{%- endmacro %}

{#- The first day of the month of a moment or a date: engines differ in whether that is a date or a timestamp. -#}
{% macro month_of(expression) -%}
    cast({{ dbt.date_trunc('month', expression) }} as date)
{%- endmacro %}

{#- One row for every month from one first day to another: a series is made by another function in every engine. -#}
{% macro months_from_to(first, last) -%}
    {{ return(adapter.dispatch('months_from_to', 'rapport')(first, last)) }}
{%- endmacro %}

{% macro default__months_from_to(first, last) -%}
    cast(unnest(generate_series({{ first }}, {{ last }}, interval 1 month)) as date)
{%- endmacro %}

{% macro spark__months_from_to(first, last) -%}
    explode(sequence({{ first }}, {{ last }}, interval 1 month))
{%- endmacro %}

{#- One of few buckets for each key, the same one wherever the key occurs: two people in different buckets are two people. -#}
{% macro bucket_of(expression, buckets=64) -%}
    {{ hash_of(expression) }} % {{ buckets }}
{%- endmacro %}

{#- `as`, of a common table expression that the engine is to work out once and not to rewrite together with what reads it:
    DuckDB takes longer to plan some than to run them, Spark knows no such word and needs none. -#}
{% macro as_it_stands() -%}
    {{ return(adapter.dispatch('as_it_stands', 'rapport')()) }}
{%- endmacro %}

{% macro default__as_it_stands() -%}
    as
{%- endmacro %}

{% macro duckdb__as_it_stands() -%}
    as materialized
{%- endmacro %}
