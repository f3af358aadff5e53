-- How many rows each part file that is to be read says it holds: what the rows that arrive are counted against.
-- depends_on: {{ ref('gate_files') }}
{%- set is_csv = env_var('RAPPORT_RAW_FORMAT', 'parquet') == 'csv' %}
with

stated as (
    {%- for table in raw_tables() %}
    {%- set files = planned_files(table, ['new', 'rewritten']) %}
    {%- if is_csv or not files %}
    select
        '{{ table }}' as table_name,
        {{ file_name_of('part_file') }} as file_name,
        count(*) as delivered_rows
    from {{ rows_to_read(table) }}
    group by part_file
    {%- else %}
    select
        '{{ table }}' as table_name,
        {{ file_name_of('file_name') }} as file_name,
        num_rows as delivered_rows
    from parquet_file_metadata([
        {%- for file in files %}'{{ literal_path(file) }}'{% if not loop.last %}, {% endif %}{% endfor -%}
    ])
    {%- endif %}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

plan as (

    select * from {{ ref('reading_plan') }}

),

final as (

    select
        plan.table_name,
        plan.file_name,
        cast(coalesce(stated.delivered_rows, 0) as bigint) as delivered_rows
    from plan
    left join stated on plan.table_name = stated.table_name and plan.file_name = stated.file_name
    where plan.standing in ('new', 'rewritten')

)

select * from final
