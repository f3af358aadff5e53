-- WHO-5 at baseline against follow-up, in bands 16 points wide that end at the cut-off of the screen.
{%- set band = "cast(ceil((%s - " ~ var('who5_cutoff') ~ ") / 16.0) as integer)" %}
{%- set cutoff = var('who5_cutoff') %}
with

bands as (

    select
        {{ band % 'baseline_score' }} as baseline_band,
        {{ band % 'followup_score' }} as followup_band,
        count(*) as participants
    from {{ ref('candidate_analysis_cohort') }}
    group by 1, 2

),

final as (

    select
        cast(greatest({{ cutoff }} + 16 * (baseline_band - 1) + 1, 0) as integer) as baseline_from,
        cast(least({{ cutoff }} + 16 * baseline_band, 100) as integer) as baseline_to,
        cast(greatest({{ cutoff }} + 16 * (followup_band - 1) + 1, 0) as integer) as followup_from,
        cast(least({{ cutoff }} + 16 * followup_band, 100) as integer) as followup_to,
        participants,
        100.0 * participants / sum(participants) over (partition by baseline_band) as percent
    from bands
    order by baseline_band, followup_band

)

select * from final
