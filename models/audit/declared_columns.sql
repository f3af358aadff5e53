-- The columns that the sources declare, as rows: what the part files are checked against before anything reads them.
{%- set rows = [] %}
{%- for table in raw_tables() %}
{%- do source('raw', table) %}
{%- if execute %}
{%- set declared = graph.sources['source.' ~ project_name ~ '.raw.' ~ table] %}
{%- for column in declared.columns.values() %}
            {%- do rows.append({
                'table': table,
                'position': loop.index,
                'column': column.name,
                'type': column.data_type,
                'is_key': column.config.meta.get('primary_key', false),
            }) %}
{%- endfor %}
{%- endif %}
{%- endfor %}
{%- for row in rows %}
select
    '{{ row.table }}' as table_name,
    {{ row.position }} as position,
    '{{ row.column }}' as column_name,
    '{{ row.type }}' as data_type,
    {{ row.is_key }} as is_key
{% if not loop.last %}union all{% endif %}
{%- endfor %}
