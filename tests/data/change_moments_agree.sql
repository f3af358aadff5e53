-- The change is follow-up minus baseline in every moment: means subtract, and variances add less twice the covariance.
select *
from {{ ref('wellbeing_change_moments') }}
where
    abs(change_mean - (followup_mean - baseline_mean)) > 1e-9
    or abs(change_variance - (baseline_variance + followup_variance - 2 * covariance)) > 1e-9 * baseline_variance
