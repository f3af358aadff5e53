-- The dates, thresholds and cut-offs by which this build read the study.
{%- set described = {'study': 'study that was built: a file of studies/'} %}
{%- for variable in study().vars %}{% do described.update({variable.name: variable.meaning}) %}{% endfor %}
{%- do described.update({
    'equivalence_margin': 'difference of changes in points up to which two utilization types count as equivalent',
    'on_bad_rows': 'what happens to rows that break a critical rule',
    'max_quarantined_share': 'share of the rows that may wait in quarantine',
    'max_shrinkage': 'share of its rows that a table may lose from one build to the next',
    'max_share_jump': 'how far a share may move from one build to the next',
    'spc_min_points': 'months with a value from which a series of the service has a mean and limits',
    'freshness_warn_hours': 'age of the newest row in hours from which an export counts as stale',
}) %}
with

build as (

    select * from {{ ref('build') }}

),

final as (
    {% for name, meaning in described.items() %}
    select
        '{{ name }}' as parameter,
        {{ text_literal(var(name)) }} as value,
        {{ text_literal(meaning) }} as meaning
    union all
    {%- endfor %}
    {%- for name, value in study().overridden.items() %}
    select
        '{{ name }}_of_the_study' as parameter,
        {{ text_literal(value) }} as value,
        'what the study says, where the command line has set {{ name }}' as meaning
    union all
    {%- endfor %}
    select
        'is_calibrated' as parameter,
        cast(is_calibrated as {{ dbt.type_string() }}) as value,
        'whether the export is the synthetic twin, calibrated to the printed figures' as meaning
    from build
    union all
    select
        'is_synthetic' as parameter,
        cast(is_synthetic as {{ dbt.type_string() }}) as value,
        'whether the people of the export are invented' as meaning
    from build

)

select * from final
