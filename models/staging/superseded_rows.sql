-- A row does not stand when a later row of its key was delivered, or the same row was delivered before.
-- depends_on: {{ ref('gate_files') }}
with
{%- for table in raw_tables() %}
{{ rows_that_do_not_stand(table) }}
{%- endfor %}
final as (
    {% for table in raw_tables() %}
    select * from {{ table }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

)

select * from final
