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
-- The one row of a table is repeated for its measures: an engine that computes a CTE wherever it is named does so once.
{%- for table in raw_tables() %}

{{ table }}_measures as (
    {% for measure in measures[table] %}
    select '{{ measure }}' as measure
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),
{%- endfor %}

final as (
    {% for table in raw_tables() %}
    select
        '{{ table }}' as table_name,
        measures.measure,
        case measures.measure
            {%- for measure in measures[table] %}
            when '{{ measure }}' then counts.counted_{{ loop.index }}
            {%- endfor %}
        end as counted,
        counts.total,
        counts.first_event_on,
        counts.last_event_on,
        counts.last_loaded_at
    from {{ table }} as counts
    cross join {{ table }}_measures as measures
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

)

select * from final
