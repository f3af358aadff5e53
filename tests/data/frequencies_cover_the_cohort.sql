-- Score frequencies lose nobody: every grouping counts each cohort member whose group is known.
with

cohort as (

    select
        count(*) as everyone,
        count(sex) as sex,
        count(within_usa) as country
    from {{ ref('analysis_cohort') }}

),

counted as (

    select
        grouping,
        sum(participants) as participants
    from {{ ref('score_frequencies') }}
    group by grouping
    union all
    select
        'age' as grouping,
        sum(participants) as participants
    from {{ ref('age_frequencies') }}

)

select
    counted.grouping,
    counted.participants
from counted
cross join cohort
where
    counted.participants <> case counted.grouping
        when 'sex' then cohort.sex
        when 'country' then cohort.country
        else cohort.everyone
    end
