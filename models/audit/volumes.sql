-- How many rows every table has, and the shares that should not jump from one build to the next.
with

participants as (

    select * from {{ ref('accepted_participants') }}

),

assessments as (

    select * from {{ ref('accepted_who5_assessments') }}

),

sessions as (

    select * from {{ ref('accepted_sessions') }}

),

ratings as (

    select * from {{ ref('accepted_alliance_ratings') }}

),

final as (
    {% for relation, table, measures in [
        ('participants', 'participants', {
            'rows': 'true',
            'registered': 'registered_at is not null',
            'sponsored': 'employer_sponsored',
            'female': "sex = 'female'",
            'sex not reported': 'sex is null',
            'in the home country': "country_code = '" ~ var('home_country') ~ "'",
            'country not known': 'country_code is null',
        }),
        ('assessments', 'who5_assessments', {
            'rows': 'true',
            'without a skipped item': 'item_1 + item_2 + item_3 + item_4 + item_5 is not null',
        }),
        ('sessions', 'sessions', {
            'rows': 'true',
            'completed': "status = 'completed'",
            'with a therapist': "provider_type = 'therapist'",
        }),
        ('ratings', 'alliance_ratings', {
            'rows': 'true',
            'with both items': 'bond_item is not null and goals_item is not null',
            'bond at its maximum': 'bond_item = 5',
        }),
    ] %}
    {%- set outer = loop %}
    {%- for measure, condition in measures.items() %}
    select
        '{{ table }}' as table_name,
        '{{ measure }}' as measure,
        count(case when {{ condition }} then 1 end) as counted,
        count(*) as total
    from {{ relation }}
    {% if not (loop.last and outer.last) %}union all{% endif %}
    {%- endfor %}
    {%- endfor %}

)

select * from final
