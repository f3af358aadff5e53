-- Of the rows of one key the latest delivery stands; the same row delivered again is a copy, and different rows of one moment contest the key.
-- depends_on: {{ ref('gate_files') }}
{{ config(post_hook="{{ further_views('current', this) }}") }}
with
{%- for table in raw_tables() %}
{{ rows_of_repeated_keys(table) }}
{%- endfor %}
final as (
    {% for table in raw_tables() %}
    select * from {{ table }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

)

select * from final
