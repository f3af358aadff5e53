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

final as (
    {% for table in raw_tables() %}
    select
        '{{ table }}' as table_name,
        cast(coalesce((
            select sum(delivered_rows) from loaded_files
            where table_name = '{{ table }}'
        ), 0) as bigint) as delivered,
        cast(coalesce((
            select sum(erased_rows) from loaded_files
            where table_name = '{{ table }}'
        ), 0) as bigint) as erased,
        (
            select count(case when standing <> 'current' then 1 end) from {{ ref('delivered_' ~ table) }}
        ) as superseded,
        (select count(*) from {{ ref('quarantined_' ~ table) }}) as quarantined,
        count(*) as used,
        min({{ utc_date(events[table]) }}) as first_event_on,
        max({{ utc_date(events[table]) }}) as last_event_on,
        cast(max(loaded_at) as timestamp) as last_loaded_at
    from {{ ref('accepted_' ~ table) }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

)

select * from final
