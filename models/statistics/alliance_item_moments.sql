-- Means, variances and covariance of the two alliance items: all that Cronbach's alpha needs to know of them.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select * from {{ ref('candidate_analysis_cohort') }}

),

alliance as (

    select * from {{ ref('alliance_scores') }}

),

participant_means as (

    select
        'participant_means' as population,
        count(*) as n,
        avg(bond_mean) as bond_mean,
        avg(goals_mean) as goals_mean,
        var_samp(bond_mean) as bond_variance,
        var_samp(goals_mean) as goals_variance,
        covar_samp(bond_mean, goals_mean) as covariance
    from cohort
    where bond_mean is not null and goals_mean is not null

),

rating_sums as (

    select
        coalesce(sum(alliance.paired_ratings), 0) as n,
        sum(alliance.paired_bond) as bond,
        sum(alliance.paired_goals) as goals,
        sum(alliance.paired_bond_squares) as bond_squares,
        sum(alliance.paired_goals_squares) as goals_squares,
        sum(alliance.paired_products) as products
    from alliance
    inner join cohort on alliance.participant_id = cohort.participant_id

),

-- Sums of whole numbers are exact, so the numerators below are too.
session_ratings as (

    select
        'session_ratings' as population,
        n,
        cast(bond as double) / nullif(n, 0) as bond_mean,
        cast(goals as double) / nullif(n, 0) as goals_mean,
        cast(n * bond_squares - bond * bond as double) / nullif(n * (n - 1), 0) as bond_variance,
        cast(n * goals_squares - goals * goals as double) / nullif(n * (n - 1), 0) as goals_variance,
        cast(n * products - bond * goals as double) / nullif(n * (n - 1), 0) as covariance
    from rating_sums

),

final as (

    select * from participant_means
    union all
    select * from session_ratings

)

select * from final
where n > 0
