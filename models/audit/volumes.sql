-- How many rows every table has, which dates they span, and the shares that should not jump from one build to the next.
{%- set measures = {
    'participants': {
        'moment': 'registered_at',
        'measures': {
            'rows': 'true',
            'registered': 'registered_at is not null',
            'sponsored': 'employer_sponsored',
            'female': "sex = 'female'",
            'sex not reported': 'sex is null',
            'in the home country': "country_code = '" ~ var('home_country') ~ "'",
            'country not known': 'country_code is null',
        },
    },
    'who5_assessments': {
        'moment': 'completed_at',
        'measures': {
            'rows': 'true',
            'without a skipped item': 'item_1 + item_2 + item_3 + item_4 + item_5 is not null',
        },
    },
    'sessions': {
        'moment': 'started_at',
        'measures': {
            'rows': 'true',
            'completed': "status = 'completed'",
            'with a therapist': "provider_type = 'therapist'",
        },
    },
    'alliance_ratings': {
        'moment': 'submitted_at',
        'measures': {
            'rows': 'true',
            'with both items': 'bond_item is not null and goals_item is not null',
            'bond at its maximum': 'bond_item = 5',
        },
    },
} %}
with
{% for table in raw_tables() %}
{{ table }} as (

    -- One pass over the table, whatever the number of measures.
    select
        count(*) as total,
        {%- for condition in measures[table].measures.values() %}
        count(case when {{ condition }} then 1 end) as counted_{{ loop.index }},
        {%- endfor %}
        {{ utc_date('min(' ~ measures[table].moment ~ ')') }} as first_event_on,
        {{ utc_date('max(' ~ measures[table].moment ~ ')') }} as last_event_on,
        max(loaded_at) as last_loaded_at
    from {{ ref('stg_' ~ table) }}

),
{% endfor %}
final as (
    {% for table in raw_tables() %}
    {%- set is_last_table = loop.last %}
    {%- for measure in measures[table].measures %}
    select
        '{{ table }}' as table_name,
        '{{ measure }}' as measure,
        counted_{{ loop.index }} as counted,
        total,
        first_event_on,
        last_event_on,
        last_loaded_at
    from {{ table }}
    {% if not (is_last_table and loop.last) %}union all{% endif %}
    {%- endfor %}
    {%- endfor %}

)

select * from final
