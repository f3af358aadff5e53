-- The dates, thresholds and cut-offs by which this build read the study.
{%- set described = {
    'study_start': 'first day of the study window',
    'study_end': 'last day of the study window',
    'adult_age': 'age in years from which a participant is an adult',
    'min_sessions': 'sessions that make a participant a user of care',
    'min_followup_days': 'days from baseline to follow-up, at least',
    'who5_points_per_item': 'points of the WHO-5 score for one point of an item',
    'who5_cutoff': 'baseline WHO-5 score up to which a participant screened positive',
    'improvement_points': 'gain in WHO-5 points from which it is a clinical improvement',
    'home_country': 'country whose residents are compared with all others',
    'on_bad_rows': 'what happens to rows that break a critical rule',
    'max_quarantined_share': 'share of the rows that may wait in quarantine',
    'max_shrinkage': 'share of its rows that a table may lose from one build to the next',
    'max_share_jump': 'how far a share may move from one build to the next',
    'spc_min_points': 'months with a value from which a series of the service has a mean and limits',
    'freshness_warn_hours': 'age of the newest row in hours from which an export counts as stale',
} %}
with

build as (

    select * from {{ ref('build') }}

),

final as (
    {% for name, meaning in described.items() %}
    select
        '{{ name }}' as parameter,
        '{{ var(name) }}' as value,
        '{{ meaning }}' as meaning
    union all
    {%- endfor %}
    select
        'is_calibrated' as parameter,
        cast(is_calibrated as varchar) as value,
        'whether the export is the synthetic twin, calibrated to the printed figures' as meaning
    from build
    union all
    select
        'is_synthetic' as parameter,
        cast(is_synthetic as varchar) as value,
        'whether the people of the export are invented' as meaning
    from build

)

select * from final
