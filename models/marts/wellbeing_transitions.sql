-- The outcome at baseline against follow-up, in four bands: up to the cut-off of the screen, two of as many points as the study says above it, and the rest.
{%- set cutoff = value_of(outcome(), 'cutoff') %}
{%- set width = outcome().band_points %}
{%- set band = "least(greatest(cast(ceil((%s - " ~ cutoff ~ ") / " ~ width ~ "e0) as integer), 0), 3)" %}
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
        case
            when {{ measurement }}_band = 0 then {{ outcome().lowest }}
            else {{ cutoff }} + {{ width }} * ({{ measurement }}_band - 1) + 1
        end as {{ measurement }}_from,
        case
            when {{ measurement }}_band = 3 then {{ outcome().highest }}
            else least({{ cutoff }} + {{ width }} * {{ measurement }}_band, {{ outcome().highest }})
        end as {{ measurement }}_to,
        {%- endfor %}
        participants,
        1e2 * participants / sum(participants) over (partition by baseline_band) as percent
    from bands

)

select * from final
