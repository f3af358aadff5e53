-- Well-being expected at follow-up along the alliance score, at low, mean and high values of each moderator.
select
    cast(analysis as varchar) as analysis,
    cast(level as varchar) as level,
    cast(position as integer) as position,
    cast(n as bigint) as n,
    cast(alliance_score as double) as alliance_score,
    cast(predicted as double) as predicted,
    cast(ci_low as double) as ci_low,
    cast(ci_high as double) as ci_high,
    cast(slope as double) as slope,
    cast(slope_ci_low as double) as slope_ci_low,
    cast(slope_ci_high as double) as slope_ci_high,
    cast(note as varchar) as note
from {{ ref('slope_findings') }}
