-- A part file is read once: again only when its content changed, when it belongs to a table that is rebuilt, or when it was withdrawn and came back.
with

part_files as (

    select * from {{ ref('part_files') }}

),

loaded_files as (

    select * from {{ state_table('loaded_files') }}

),

rebuilt_tables as (
    {% for table in raw_tables() %}
    select
        '{{ table }}' as table_name,
        {{ must_rebuild('delivered_' ~ table) }} as is_rebuilt
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

compared as (

    select
        coalesce(part_files.table_name, loaded_files.table_name) as table_name,
        coalesce(part_files.file_name, loaded_files.file_name) as file_name,
        part_files.path,
        part_files.bytes,
        part_files.modified_ns,
        part_files.sha256,
        part_files.file_name is not null as is_there,
        loaded_files.file_name is not null as is_loaded,
        coalesce(part_files.bytes = loaded_files.bytes and part_files.sha256 = loaded_files.sha256, false) as is_same
    from part_files
    full outer join loaded_files
        on part_files.table_name = loaded_files.table_name and part_files.file_name = loaded_files.file_name

),

final as (

    select
        '{{ invocation_id }}' as build_id,
        compared.table_name,
        compared.file_name,
        compared.path,
        compared.bytes,
        compared.modified_ns,
        compared.sha256,
        case
            when not compared.is_there then 'withdrawn'
            when rebuilt_tables.is_rebuilt or not compared.is_loaded then 'new'
            when compared.is_same then 'known'
            else 'rewritten'
        end as standing
    from compared
    inner join rebuilt_tables on compared.table_name = rebuilt_tables.table_name

)

select * from final
order by table_name, file_name
