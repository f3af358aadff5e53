-- What became of every row that the raw export delivered, and which dates the rows in use span.
with

part_files as (

    select * from {{ source('raw', 'part_files') }}

),

volumes as (

    select * from {{ ref('volumes') }}
    where measure = 'rows'

),

superseded_rows as (

    select * from {{ ref('repeated_rows') }}
    where standing in ('superseded', 'copy')

),

quarantined_rows as (

    select * from {{ ref('quarantined_rows') }}

),

delivered as (

    select
        table_name,
        {{ whole_sum('rows') }} as n
    from part_files
    group by table_name

),

erased as (
    {% for table in raw_tables() %}
    select
        '{{ table }}' as table_name,
        count(*) as n
    from {{ source('raw', table) }} as delivered_rows
    where {{ is_erased(table, 'delivered_rows') }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

superseded as (

    select
        table_name,
        count(*) as n
    from superseded_rows
    group by table_name

),

quarantined as (

    select
        table_name,
        count(*) as n
    from quarantined_rows
    group by table_name

),

final as (

    select
        volumes.table_name,
        coalesce(delivered.n, 0) as delivered,
        erased.n as erased,
        coalesce(superseded.n, 0) as superseded,
        coalesce(quarantined.n, 0) as quarantined,
        volumes.counted as used,
        volumes.first_event_on,
        volumes.last_event_on,
        cast(volumes.last_loaded_at as timestamp) as last_loaded_at
    from volumes
    inner join erased on volumes.table_name = erased.table_name
    left join delivered on volumes.table_name = delivered.table_name
    left join superseded on volumes.table_name = superseded.table_name
    left join quarantined on volumes.table_name = quarantined.table_name

)

select * from final
