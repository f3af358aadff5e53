-- Means, variances and covariance of the two alliance items: all that Cronbach's alpha needs to know of them.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select * from {{ ref('candidate_analysis_cohort') }}

),

ratings as (

    select * from {{ ref('study_ratings') }}

),

answers as (

    select
        'participant_means' as population,
        bond_mean as bond,
        goals_mean as goals
    from cohort
    where bond_mean is not null and goals_mean is not null
    union all
    select
        'session_ratings' as population,
        cast(ratings.bond_item as double) as bond,
        cast(ratings.goals_item as double) as goals
    from ratings
    inner join cohort on ratings.participant_id = cohort.participant_id
    where ratings.bond_item is not null and ratings.goals_item is not null

),

final as (

    select
        population,
        count(*) as n,
        avg(bond) as bond_mean,
        avg(goals) as goals_mean,
        var_samp(bond) as bond_variance,
        var_samp(goals) as goals_variance,
        covar_samp(bond, goals) as covariance
    from answers
    group by population
    order by population

)

select * from final
