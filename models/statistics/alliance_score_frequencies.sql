-- How often each alliance score occurs in each group: all that the rank tests need to know of the cohort.
-- depends_on: {{ ref('gate_candidates') }}
with

cohort as (

    select * from {{ ref('candidate_analysis_cohort') }}

),

grouped as (

    select
        'sex' as grouping,
        sex as level,
        alliance_score
    from cohort
    union all
    select
        'country' as grouping,
        case when within_usa then 'within_usa' when not within_usa then 'outside_usa' end as level,
        alliance_score
    from cohort
    union all
    select
        'depression_screen' as grouping,
        case when screened_positive then 'positive' else 'negative' end as level,
        alliance_score
    from cohort
    union all
    select
        'utilization_type' as grouping,
        utilization_type as level,
        alliance_score
    from cohort

),

final as (

    select
        grouping,
        level,
        alliance_score,
        count(*) as participants
    from grouped
    where level is not null
    group by grouping, level, alliance_score
    order by grouping, level, alliance_score

)

select * from final
