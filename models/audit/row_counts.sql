-- Of every table, what became of the rows that the part files hold.
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
        (select count(*) from {{ ref('quarantined_' ~ table) }}) as quarantined,
        (select count(*) from {{ ref('accepted_' ~ table) }}) as used
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

final as (

    select
        table_name,
        cast(delivered as bigint) as delivered,
        cast(erased as bigint) as erased,
        superseded,
        quarantined,
        used
    from row_counts

)

select * from final
