-- The service by calendar month: sessions and ratings count in the month of the session, outcomes in that of the follow-up, from the first to the last month that has a session.
{%- set types = ['therapist', 'coach', 'all'] %}
{#- What of a month each measure divides by what, and whom it is about; a count has no denominator. -#}
{%- set measures = {
    'sessions': ('completed', none, 'people_seen'),
    'new_participants': ('new_participants', none, 'new_participants'),
    'no_show_rate': ('no_shows', 'completed + no_shows', 'people_expected'),
    'cancellation_rate': ('cancelled', 'completed + no_shows + cancelled', 'people_booked'),
    'response_rate': ('rated_sessions', 'completed', 'people_seen'),
    'alliance_mean': ('item_sum', 'item_responses', 'people_rating'),
    'top_box_rate': ('top_box', 'paired_ratings', 'people_rating_both'),
    'mean_change': ('change_sum', 'positive', 'positive'),
    'recovery_rate': ('recovered', 'positive', 'positive'),
    'improvement_rate': ('improved', 'positive', 'positive'),
} %}
{%- set of_outcomes = ['positive', 'change_sum', 'recovered', 'improved'] %}
{%- set of_sessions = ['completed', 'no_shows', 'cancelled'] %}
{%- set of_ratings = ['rated_sessions', 'item_sum', 'item_responses', 'paired_ratings', 'top_box'] %}
{%- set people = {
    'people_seen': 'completed > 0',
    'people_expected': 'completed + no_shows > 0',
    'people_booked': 'true',
    'people_rating': 'rated_sessions > 0',
    'people_rating_both': 'paired_ratings > 0',
} %}
with

sessions as (

    select
        session_id,
        participant_id,
        provider_type,
        status,
        started_at,
        {{ month_of('started_at') }} as month,
        {{ bucket_of('participant_id') }} as bucket
    from {{ ref('stg_sessions') }}

),

ratings as (

    select * from {{ ref('stg_alliance_ratings') }}

),

cohort as (

    select * from {{ ref('analysis_cohort') }}

),

facts as (

    select * from {{ ref('participant_facts') }}

),

session_counts as (

    select
        month,
        provider_type,
        bucket,
        count(case when status = 'completed' then 1 end) as completed,
        count(case when status = 'no_show' then 1 end) as no_shows,
        count(case when status = 'cancelled' then 1 end) as cancelled
    from sessions
    group by month, provider_type, bucket

),

rating_counts as (

    select
        sessions.month,
        sessions.provider_type,
        sessions.bucket,
        count(distinct ratings.session_id) as rated_sessions,
        {{ whole_sum('coalesce(ratings.bond_item, 0) + coalesce(ratings.goals_item, 0)') }} as item_sum,
        count(ratings.bond_item) + count(ratings.goals_item) as item_responses,
        count(ratings.bond_item + ratings.goals_item) as paired_ratings,
        count(case when ratings.bond_item = 5 and ratings.goals_item = 5 then 1 end) as top_box
    from ratings
    inner join sessions on ratings.session_id = sessions.session_id
    where
        sessions.status = 'completed'
        and (ratings.bond_item is not null or ratings.goals_item is not null)
    group by sessions.month, sessions.provider_type, sessions.bucket

),

counts as (

    select
        session_counts.*,
        {%- for column in of_ratings %}
        coalesce(rating_counts.{{ column }}, 0) as {{ column }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from session_counts
    left join rating_counts
        on
            session_counts.month = rating_counts.month
            and session_counts.provider_type = rating_counts.provider_type
            and session_counts.bucket = rating_counts.bucket

),

-- An engine that computes a CTE wherever it is named does so once: rows are repeated here, not the query that gives them.
kinds as (

    select 'own' as kind
    union all
    select 'all' as kind

),

counts_of_all as (

    select
        counts.month,
        case when kinds.kind = 'all' then 'all' else counts.provider_type end as provider_type,
        counts.bucket,
        counts.{{ (of_sessions + of_ratings) | join(',\n        counts.') }}
    from counts
    cross join kinds

),

-- People fall into buckets by a hash of their id: of people in different buckets nobody is counted twice.
by_type as (

    select
        month,
        provider_type,
        {%- for column in of_sessions + of_ratings %}
        {{ whole_sum(column) }} as {{ column }},
        {%- endfor %}
        {%- for name, condition in people.items() %}
        count(distinct case when {{ condition }} then bucket end) as {{ name }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from counts_of_all
    group by month, provider_type

),

first_sessions as (

    select
        participant_id,
        min(case when provider_type = 'therapist' then month end) as therapist,
        min(case when provider_type = 'coach' then month end) as coach,
        min(month) as all_types
    from sessions
    where status = 'completed'
    group by participant_id

),

first_months as (

    select
        therapist,
        coach,
        all_types,
        count(*) as participants
    from first_sessions
    group by therapist, coach, all_types

),

types as (
    {% for type in types %}
    select '{{ type }}' as provider_type
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

months_of_newcomers as (

    select
        case types.provider_type
            when 'therapist' then first_months.therapist
            when 'coach' then first_months.coach
            else first_months.all_types
        end as month,
        types.provider_type,
        first_months.participants
    from first_months
    cross join types

),

newcomers as (

    select
        month,
        provider_type,
        {{ whole_sum('participants') }} as new_participants
    from months_of_newcomers
    where month is not null
    group by month, provider_type

),

dated_outcomes as (

    select
        cohort.who5_change,
        cohort.clinical_recovery,
        cohort.clinical_improvement,
        {{ month_of(dbt.dateadd('day', 'cohort.follow_up_days', utc_date('facts.baseline_at'))) }} as month
    from cohort
    inner join facts on cohort.participant_id = facts.participant_id
    where cohort.screened_positive

),

outcomes as (

    select
        month,
        count(*) as positive,
        {{ whole_sum('who5_change') }} as change_sum,
        count(case when clinical_recovery then 1 end) as recovered,
        count(case when clinical_improvement then 1 end) as improved
    from dated_outcomes
    group by month

),

months as (

    select {{ months_from_to('min(month)', 'max(month)') }} as month
    from session_counts

),

every_month as (

    select
        months.month,
        types.provider_type
    from months
    cross join types

),

gathered as (

    select
        every_month.month,
        every_month.provider_type,
        coalesce(newcomers.new_participants, 0) as new_participants,
        {%- for column in of_sessions + of_ratings + people.keys() | list %}
        coalesce(by_type.{{ column }}, 0) as {{ column }},
        {%- endfor %}
        {%- for column in of_outcomes %}
        coalesce(outcomes.{{ column }}, 0) as {{ column }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from every_month
    left join by_type
        on every_month.month = by_type.month and every_month.provider_type = by_type.provider_type
    left join newcomers
        on every_month.month = newcomers.month and every_month.provider_type = newcomers.provider_type
    left join outcomes on every_month.month = outcomes.month

),

measures as (
    {% for measure in measures %}
    select '{{ measure }}' as measure
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

measured as (

    select
        gathered.month,
        gathered.provider_type,
        measures.measure,
        {%- for column in ['numerator', 'denominator', 'people_at_least'] %}
        {%- set place = loop.index0 %}
        case measures.measure
            {%- for measure, parts in measures.items() if parts[place] %}
            when '{{ measure }}' then {{ parts[place] }}
            {%- endfor %}
        end as {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from gathered
    cross join measures
    where
        gathered.provider_type = 'all'
        or measures.measure not in (
            {%- for measure, parts in measures.items() if parts[0] in of_outcomes -%}
            '{{ measure }}'{% if not loop.last %}, {% endif %}
            {%- endfor -%}
        )

),

final as (

    select
        month,
        provider_type,
        measure,
        numerator,
        denominator,
        case
            when denominator is null then cast(numerator as double)
            else cast(numerator as double) / nullif(denominator, 0)
        end as value,
        people_at_least
    from measured

)

select * from final
