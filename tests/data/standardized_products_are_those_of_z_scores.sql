-- In the moderations a continuous variable has mean 0 and a centred sum of squares of n - 1.
select *
from {{ ref('regression_cross_products') }}
where
    analysis like 'moderation%'
    and row_term = column_term
    and row_term in ('followup_score', 'baseline_score', 'age_years', 'time_in_care', 'total_sessions', 'alliance')
    and (abs(row_mean) > 1e-9 or abs(cross_product - (n - 1)) > 1e-9 * n)
