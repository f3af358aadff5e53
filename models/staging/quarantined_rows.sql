-- A row waits in quarantine when it breaks a rule on rows, or when it refers to a row that does and that no accepted row replaces.
-- depends_on: {{ ref('audit_raw') }}
with

row_faults as (

    select
        table_name,
        part_file,
        row_number,
        {{ dbt.listagg('rule', "'; '", 'order by rule') }} as rules
    from {{ source('audit', 'row_faults') }}
    group by table_name, part_file, row_number

),

{% for table, parent, parent_key in [
    ('participants', none, none),
    ('who5_assessments', 'participants', 'participant_id'),
    ('sessions', 'participants', 'participant_id'),
    ('alliance_ratings', 'sessions', 'session_id'),
] -%}
{%- set key = key_of(table) %}
{%- if parent %}
{{ table }}_without_{{ parent }} as (

    select distinct faulty.row_key
    from {{ parent }}_in_quarantine as faulty
    where not exists (
        select 1 from {{ ref('current_' ~ parent) }} as parent
        where
            parent.{{ parent_key }} = faulty.row_key
            and not exists (
                select 1 from {{ parent }}_in_quarantine as other
                where other.part_file = parent.part_file and other.row_number = parent.row_number
            )
    )

),
{%- endif %}

{{ table }}_in_quarantine as (

    select
        '{{ table }}' as table_name,
        current_rows.part_file,
        current_rows.row_number,
        current_rows.line_number,
        current_rows.{{ key }} as row_key,
        {%- if table == 'alliance_ratings' %}
        cast(null as {{ dbt.type_string() }}) as participant_id,
        current_rows.session_id,
        {%- else %}
        current_rows.participant_id,
        cast(null as {{ dbt.type_string() }}) as session_id,
        {%- endif %}
        {%- if parent %}
        case
            when row_faults.rules is null then 'its {{ parent_key | replace("_id", "") }} is in quarantine'
            when orphans.row_key is null then row_faults.rules
            else row_faults.rules || '; its {{ parent_key | replace("_id", "") }} is in quarantine'
        end as rules
        {%- else %}
        row_faults.rules
        {%- endif %}
    from {{ ref('current_' ~ table) }} as current_rows
    {%- if parent %}
    left join row_faults
        on
            row_faults.table_name = '{{ table }}'
            and current_rows.part_file = row_faults.part_file
            and current_rows.row_number = row_faults.row_number
    left join {{ table }}_without_{{ parent }} as orphans on current_rows.{{ parent_key }} = orphans.row_key
    where row_faults.rules is not null or orphans.row_key is not null
    {%- else %}
    inner join row_faults
        on
            row_faults.table_name = '{{ table }}'
            and current_rows.part_file = row_faults.part_file
            and current_rows.row_number = row_faults.row_number
    {%- endif %}

),

{% endfor -%}
final as (
    {% for table in raw_tables() %}
    select * from {{ table }}_in_quarantine
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

)

select * from final
