-- What became of every row that the raw export delivered, and which dates the rows in use span.
{%- set events = {
    'participants': 'registered_at',
    'who5_assessments': 'completed_at',
    'sessions': 'started_at',
    'alliance_ratings': 'submitted_at',
} %}
with

loaded_files as (

    select * from {{ state_table('loaded_files') }}

),

row_counts as (
    {% for table in raw_tables() %}
    select
        '{{ table }}' as table_name,
        coalesce((
            select sum(delivered_rows) from loaded_files
            where table_name = '{{ table }}'
        ), 0) as delivered,
        coalesce((
            select sum(erased_rows) from loaded_files
            where table_name = '{{ table }}'
        ), 0) as erased,
        (select count(case when standing <> 'current' then 1 end) from {{ ref('delivered_' ~ table) }}) as superseded,
        (select count(*) from {{ ref('quarantined_' ~ table) }}) as quarantined
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

rows_in_use as (
    {% for table in raw_tables() %}
    select
        '{{ table }}' as table_name,
        count(*) as used,
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
        cast(row_counts.delivered as bigint) as delivered,
        cast(row_counts.erased as bigint) as erased,
        row_counts.superseded,
        row_counts.quarantined,
        rows_in_use.used,
        rows_in_use.first_event_on,
        rows_in_use.last_event_on,
        cast(rows_in_use.last_loaded_at as timestamp) as last_loaded_at
    from row_counts
    inner join rows_in_use on row_counts.table_name = rows_in_use.table_name

)

select * from final
