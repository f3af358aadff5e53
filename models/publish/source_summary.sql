-- What became of every row that the raw export delivered, and which dates the rows in use span.
{%- set events = {
    'participants': 'registered_at',
    'who5_assessments': 'completed_at',
    'sessions': 'started_at',
    'alliance_ratings': 'submitted_at',
} %}
with

row_counts as (

    select * from {{ ref('row_counts') }}

),

rows_in_use as (
    {% for table in raw_tables() %}
    select
        '{{ table }}' as table_name,
        min({{ utc_date(events[table]) }}) as first_event_on,
        max({{ utc_date(events[table]) }}) as last_event_on,
        max(loaded_at) as last_loaded_at
    from {{ ref('accepted_' ~ table) }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

final as (

    select
        row_counts.table_name,
        row_counts.delivered,
        row_counts.erased,
        row_counts.superseded,
        row_counts.quarantined,
        row_counts.used,
        rows_in_use.first_event_on,
        rows_in_use.last_event_on,
        cast(rows_in_use.last_loaded_at as timestamp) as last_loaded_at
    from row_counts
    inner join rows_in_use on row_counts.table_name = rows_in_use.table_name

)

select * from final
