-- A row waits in quarantine when it breaks a rule on rows, or when it refers to a row that does and that no accepted row replaces.
-- depends_on: {{ ref('gate_raw') }}
{{ config(post_hook="{{ further_views('stg', this) }}") }}
{%- set further = [] %}
{%- for table in study().further_tables %}{% do further.append((table, 'participants', 'participant_id')) %}{% endfor %}
with
{%- if var('on_bad_rows') == 'stop' %}

-- A broken rule stops the build, so nothing waits.
final as (

    select
        cast(null as {{ dbt.type_string() }}) as table_name,
        cast(null as {{ dbt.type_string() }}) as part_file,
        cast(null as bigint) as row_number,
        cast(null as bigint) as line_number,
        cast(null as {{ dbt.type_string() }}) as row_key,
        cast(null as {{ dbt.type_string() }}) as participant_id,
        cast(null as {{ dbt.type_string() }}) as session_id,
        cast(null as {{ dbt.type_string() }}) as rules
    where false

)

select * from final
{%- else %}

row_faults as (

    select * from {{ source('audit', 'row_faults') }}

),

{% for table, parent, parent_key in [
    ('participants', none, none),
    ('who5_assessments', 'participants', 'participant_id'),
    ('sessions', 'participants', 'participant_id'),
    ('alliance_ratings', 'sessions', 'session_id'),
] + further -%}
{%- if parent %}
{{ table }}_replacements as (

    select distinct replacement.{{ parent_key }} as row_key
    from {{ rows_of('current', parent) }} as replacement
    inner join {{ parent }} as waiting on replacement.{{ parent_key }} = waiting.row_key
    where
        not exists (
            select 1 from {{ parent }} as other
            where other.part_file = replacement.part_file and other.row_number = replacement.row_number
        )

),

{{ table }}_orphans as (

    select distinct waiting.row_key
    from {{ parent }} as waiting
    where not exists (select 1 from {{ table }}_replacements as replaced where replaced.row_key = waiting.row_key)

),
{% endif %}
{{ table }}_faults as (

    select
        current_rows.*,
        row_faults.rule
    from {{ rows_of('current', table) }} as current_rows
    inner join row_faults
        on current_rows.part_file = row_faults.part_file and current_rows.row_number = row_faults.row_number
    where row_faults.table_name = '{{ table }}'
    {%- if parent %}
    union all
    select
        current_rows.*,
        'its {{ parent_key | replace("_id", "") }} is in quarantine' as rule
    from {{ rows_of('current', table) }} as current_rows
    inner join {{ table }}_orphans as orphans on current_rows.{{ parent_key }} = orphans.row_key
    {%- endif %}

),

{{ table }} as (

    select
        '{{ table }}' as table_name,
        part_file,
        row_number,
        line_number,
        {{ key_of(table) }} as row_key,
        {%- for owner in ['participant_id', 'session_id'] %}
        {{ owner if owner in declared_columns_of(table) else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as {{ owner }},
        {%- endfor %}
        {{ dbt.listagg('rule', "'; '", 'order by rule') }} as rules
    from {{ table }}_faults
    group by 1, 2, 3, 4, 5, 6, 7

),

{% endfor -%}
final as (
    {% for table in raw_tables() %}
    select * from {{ table }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

)

select * from final
{%- endif %}
