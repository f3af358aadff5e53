-- How many rows every table has, which dates they span, and the shares that should not jump from one build to the next.
-- depends_on: {{ ref('quarantined_rows') }}
{%- set measures = {} %}
{%- for table in raw_tables() %}{% do measures.update({table: watched_shares(table)}) %}{% endfor %}
with
{% for table in raw_tables() %}
{{ table }} as (

    -- One pass over the table, whatever the number of measures.
    select
        count(*) as total,
        {%- for condition in measures[table].values() %}
        count(case when {{ condition }} then 1 end) as counted_{{ loop.index }},
        {%- endfor %}
        {{ utc_date('min(' ~ moment_of(table) ~ ')') }} as first_event_on,
        {{ utc_date('max(' ~ moment_of(table) ~ ')') }} as last_event_on,
        max(loaded_at) as last_loaded_at
    from {{ rows_of('stg', table) }}

),
{% endfor %}
final as (
    {% for table in raw_tables() %}
    {%- set is_last_table = loop.last %}
    {%- for measure in measures[table] %}
    select
        '{{ table }}' as table_name,
        '{{ measure }}' as measure,
        counted_{{ loop.index }} as counted,
        total,
        first_event_on,
        last_event_on,
        last_loaded_at
    from {{ table }}
    {% if not (is_last_table and loop.last) %}union all{% endif %}
    {%- endfor %}
    {%- endfor %}

)

select * from final
