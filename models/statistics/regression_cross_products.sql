-- Means and centred cross-products of each regression's variables: all that ordinary least squares needs to know of the sample.
{%- set covariates = {
    'followup_score': 'followup_score',
    'age_years': 'age_years',
    'male': 'male',
    'time_in_care': 'time_in_care',
    'baseline_score': 'baseline_score',
    'alliance': 'alliance',
} %}
with

regression_sample as (

    select * from {{ ref('regression_sample') }}

),

standardized_sample as (

    select * from {{ ref('regression_sample_standardized') }}

),

prediction as (
    {{ cross_products('alliance_predicts_wellbeing', 'regression_sample', covariates) }}
),

moderation_by_utilization as (
    {{ cross_products('moderation_by_utilization', 'standardized_sample', dict(
        covariates,
        **{
            'telecoaching': 'telecoaching',
            'both': 'both_types',
            'alliance:telecoaching': 'alliance_telecoaching',
            'alliance:both': 'alliance_both',
        }
    )) }}
),

moderation_by_baseline as (
    {{ cross_products('moderation_by_baseline', 'standardized_sample', dict(
        covariates,
        **{'alliance:baseline_score': 'alliance_baseline_score'}
    )) }}
),

moderation_by_sessions as (
    {{ cross_products('moderation_by_sessions', 'standardized_sample', dict(
        covariates,
        **{'total_sessions': 'total_sessions', 'alliance:total_sessions': 'alliance_total_sessions'}
    )) }}
),

final as (

    select * from prediction
    union all
    select * from moderation_by_utilization
    union all
    select * from moderation_by_baseline
    union all
    select * from moderation_by_sessions

)

select * from final
