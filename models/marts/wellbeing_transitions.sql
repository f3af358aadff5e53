-- WHO-5 at baseline against follow-up, in four bands: up to the cut-off of the screen, two of 16 points above it, and the rest.
{%- set cutoff = var('who5_cutoff') %}
{%- set band = "least(greatest(cast(ceil((%s - " ~ cutoff ~ ") / 16.0) as integer), 0), 3)" %}
with

bands as (

    select
        {{ band % 'baseline_score' }} as baseline_band,
        {{ band % 'followup_score' }} as followup_band,
        count(*) as participants
    from {{ ref('analysis_cohort') }}
    group by baseline_band, followup_band

),

final as (

    select
        {%- for measurement in ['baseline', 'followup'] %}
        case when {{ measurement }}_band = 0 then 0 else {{ cutoff }} + 16 * ({{ measurement }}_band - 1) + 1 end
            as {{ measurement }}_from,
        case when {{ measurement }}_band = 3 then 100 else {{ cutoff }} + 16 * {{ measurement }}_band end
            as {{ measurement }}_to,
        {%- endfor %}
        participants,
        100.0 * participants / sum(participants) over (partition by baseline_band) as percent
    from bands

)

select * from final
