{#- Expressions that one engine writes differently from another. Each macro dispatches, and says why it exists. -#}

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
    struct(-unix_micros(cast({{ moment }} as timestamp_ltz)) as moment, {{ id }} as id)
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

{#- A wide sum as a floating-point number. DuckDB adds its upper and its lower 64 bits up as doubles, which is not always the
    double that is nearest to the sum; Spark takes the nearest one. Findings are equal to the last bit, so DuckDB's way is
    written out. -#}
{% macro wide_to_double(expression) -%}
    {{ return(adapter.dispatch('wide_to_double', 'rapport')(expression)) }}
{%- endmacro %}

{% macro default__wide_to_double(expression) -%}
    cast({{ expression }} as double)
{%- endmacro %}

{% macro spark__wide_to_double(expression) -%}
    {%- set whole = 'cast(' ~ expression ~ ' as decimal(38, 0))' %}
    {%- set lower = 'pmod(' ~ whole ~ ', 18446744073709551616)' %}
    case
        when {{ whole }} between -18446744073709551616 and -1
            then -cast(-{{ whole }} - 1 as double) - 1e0
        else cast({{ lower }} as double) + cast(({{ whole }} - {{ lower }}) div 18446744073709551616 as double) * 18446744073709551616e0
    end
{%- endmacro %}

{#- A sum of fractional numbers that does not depend on the order of the rows, nor on the number of threads: each is
    rounded to a multiple of 2⁻⁶⁰, and these are added up as whole numbers. Spark casts a double to a decimal by its shortest
    decimal form, so there the upper and the lower digits are cast apart, by 64-bit numbers, which are exact. -#}
{% macro fixed_point_sum(expression) -%}
    {{ return(adapter.dispatch('fixed_point_sum', 'rapport')(expression)) }}
{%- endmacro %}

{% macro default__fixed_point_sum(expression) -%}
    cast(sum(cast(round({{ expression }} * pow(2, 60)) as hugeint)) as double) / pow(2, 60)
{%- endmacro %}

{% macro spark__fixed_point_sum(expression) -%}
    {%- set rounded = 'round((' ~ expression ~ ') * pow(2, 60))' %}
    {%- set upper = 'floor(' ~ rounded ~ ' / pow(2, 40))' %}
    {{ wide_to_double(
        'sum(cast(' ~ upper ~ ' as decimal(20, 0)) * 1099511627776 + cast(' ~ rounded ~ ' - ' ~ upper ~ ' * pow(2, 40) as bigint))'
    ) }} / pow(2, 60)
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

{#- One of few buckets for each key, the same one wherever the key occurs: two people in different buckets are two people. The
    last two characters are the same in every engine; its own hash is not, and MD5 takes longer than the rest of the
    grouping. -#}
{% macro bucket_of(expression) -%}
    substr({{ expression }}, -2)
{%- endmacro %}

{#- The moment at which a statement runs, in UTC and without a zone, as every timestamp here: engines give it with one. -#}
{% macro utc_now() -%}
    {{ return(adapter.dispatch('utc_now', 'rapport')()) }}
{%- endmacro %}

{% macro default__utc_now() -%}
    get_current_timestamp() at time zone 'UTC'
{%- endmacro %}

{% macro spark__utc_now() -%}
    cast(current_timestamp() as timestamp_ntz)
{%- endmacro %}

{#- What dbt itself asks for, in the freshness of sources: its own for Spark has the zone of the machine. -#}
{% macro spark__current_timestamp() -%}
    {{ utc_now() }}
{%- endmacro %}

{#- A text as a literal: in Spark a backslash begins an escape. -#}
{% macro text_literal(text) -%}
    {{ return(adapter.dispatch('text_literal', 'rapport')(text | string)) }}
{%- endmacro %}

{% macro default__text_literal(text) -%}
    {{ return("'" ~ text | replace("'", "''") ~ "'") }}
{%- endmacro %}

{% macro spark__text_literal(text) -%}
    {{ return("'" ~ text | replace("\\", "\\\\") | replace("'", "\\'") ~ "'") }}
{%- endmacro %}

{#- A map of literals: `values` has SQL by name. -#}
{% macro map_of(values, type) -%}
    {{ return(adapter.dispatch('map_of', 'rapport')(values, type)) }}
{%- endmacro %}

{% macro default__map_of(values, type) -%}
    {%- set entries = [] %}
    {%- for name, value in values.items() %}
        {%- do entries.append(text_literal(name) ~ ': ' ~ value) %}
    {%- endfor %}
    {{ return('map {' ~ entries | join(', ') ~ '}') }}
{%- endmacro %}

{% macro spark__map_of(values, type) -%}
    {%- set entries = [] %}
    {%- for name, value in values.items() %}
        {%- do entries.append(text_literal(name) ~ ', ' ~ value) %}
    {%- endfor %}
    {{ return('cast(map(' ~ entries | join(', ') ~ ') as map<string, ' ~ type ~ '>)') }}
{%- endmacro %}

{#- The name of a column type of a contract: Spark's `varchar` wants a length, and its `timestamp` may have a zone. -#}
{% macro type_of(data_type) -%}
    {{ return(adapter.dispatch('type_of', 'rapport')(data_type)) }}
{%- endmacro %}

{% macro default__type_of(data_type) -%}
    {{ return(data_type) }}
{%- endmacro %}

{% macro spark__type_of(data_type) -%}
    {{ return({'varchar': 'string', 'integer': 'int', 'timestamp': 'timestamp_ntz'}.get(data_type | lower, data_type | lower)) }}
{%- endmacro %}

{#- dbt's own for Spark leaves the order to chance. -#}
{% macro spark__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
    listagg({{ measure }}, {{ delimiter_text }}) within group ({{ order_by_clause }})
{%- endmacro %}

{#- dbt's own for Spark raises an error where a date is missing; here a missing date gives a missing number of days. -#}
{% macro spark__datediff(first_date, second_date, datepart) -%}
    {%- if datepart != 'day' %}{% do exceptions.raise_compiler_error('days only') %}{% endif %}
    cast(datediff({{ second_date }}, {{ first_date }}) as bigint)
{%- endmacro %}

{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
    {%- if datepart != 'day' %}{% do exceptions.raise_compiler_error('days only') %}{% endif %}
    date_add(cast({{ from_date_or_timestamp }} as date), cast({{ interval }} as int))
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
