-- The floor: the study's cohort (the rows of marts.analysis_cohort) in one query, with no check of anything.
-- Variable `raw` names the export. docs/definitions.md says what each term means.
create or replace table analysis_cohort as
with

-- Of every key the latest row; corrections decide, so nothing may be filtered before.
participants as (
    select participant_id, age_years, sex, country_code = 'US' as within_usa
    from (
        select participant_id, registered_at, age_years, sex, country_code, employer_sponsored
        from read_parquet(getvariable('raw') || '/participants/*.parquet')
        qualify row_number() over (partition by participant_id order by loaded_at desc) = 1
    )
    where age_years >= 18 and employer_sponsored and registered_at is not null
),

sessions as (
    select session_id, participant_id, provider_type, started_at
    from (
        select session_id, participant_id, provider_type, started_at, status
        from read_parquet(getvariable('raw') || '/sessions/*.parquet')
        qualify row_number() over (partition by session_id order by loaded_at desc) = 1
    )
    where status = 'completed' and started_at >= timestamp '2020-09-29' and started_at < timestamp '2021-10-13'
),

scores as (
    select assessment_id, participant_id, completed_at, who5_score
    from (
        select
            assessment_id,
            participant_id,
            completed_at,
            4 * (item_1 + item_2 + item_3 + item_4 + item_5) as who5_score
        from read_parquet(getvariable('raw') || '/who5_assessments/*.parquet')
        qualify row_number() over (partition by assessment_id order by loaded_at desc) = 1
    )
    where who5_score is not null
),

ratings as (
    select session_id, bond_item, goals_item
    from (
        select session_id, bond_item, goals_item
        from read_parquet(getvariable('raw') || '/alliance_ratings/*.parquet')
        qualify row_number() over (partition by rating_id order by loaded_at desc) = 1
    )
    where bond_item is not null or goals_item is not null
),

care as (
    select
        participant_id,
        min(started_at) as first_session_at,
        max(started_at) as last_session_at,
        count(*) as total_sessions,
        case
            when bool_and(provider_type = 'therapist') then 'teletherapy'
            when bool_and(provider_type = 'coach') then 'telecoaching'
            else 'both'
        end as utilization_type
    from sessions
    group by participant_id
),

baselines as (
    select participant_id, completed_at as baseline_at, who5_score as baseline_score
    from scores
    inner join care using (participant_id)
    where completed_at < first_session_at
    qualify row_number() over (partition by participant_id order by completed_at desc, assessment_id) = 1
),

followups as (
    select
        participant_id,
        who5_score as followup_score,
        baseline_score,
        date_diff('day', baseline_at, completed_at) as follow_up_days
    from scores
    inner join care using (participant_id)
    inner join baselines using (participant_id)
    where
        completed_at > last_session_at
        and completed_at < timestamp '2021-10-13'
        and date_diff('day', baseline_at, completed_at) >= 7
    qualify row_number() over (partition by participant_id order by completed_at desc, assessment_id) = 1
),

alliance as (
    select
        participant_id,
        cast(coalesce(sum(bond_item), 0) + coalesce(sum(goals_item), 0) as double)
        / (count(bond_item) + count(goals_item)) as alliance_score,
        sum(bond_item)::double / nullif(count(bond_item), 0) as bond_mean,
        sum(goals_item)::double / nullif(count(goals_item), 0) as goals_mean,
        count(distinct session_id) as rated_sessions,
        count(bond_item) + count(goals_item) as item_responses
    from ratings
    inner join sessions using (session_id)
    group by participant_id
)

select
    participant_id,
    true as is_adult,
    true as is_sponsored,
    true as is_registered,
    true as has_session,
    true as has_baseline,
    true as has_followup,
    true as has_rating,
    true as is_eligible,
    cast(null as varchar) as first_failed_criterion,
    alliance_score,
    bond_mean,
    goals_mean,
    rated_sessions,
    item_responses,
    baseline_score,
    followup_score,
    followup_score - baseline_score as who5_change,
    follow_up_days,
    baseline_score <= 28 as screened_positive,
    baseline_score <= 28 and followup_score > 28 as clinical_recovery,
    followup_score - baseline_score >= 10 as clinical_improvement,
    age_years,
    sex,
    within_usa,
    utilization_type,
    total_sessions,
    date_diff('day', first_session_at::date, last_session_at::date) as time_in_care_days
from participants
inner join care using (participant_id)
inner join followups using (participant_id)
inner join alliance using (participant_id);
