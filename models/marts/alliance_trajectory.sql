-- How the alliance is rated at the first, second … session of a participant of the cohort, by provider type; and among those alone who rated at least four sessions, so that who leaves is not read as growth.
-- depends_on: {{ ref('gate_candidates') }}
{%- set sums = ['ratings', 'item_sum', 'item_responses', 'paired_ratings', 'top_ratings'] %}
with

sessions as (

    select * from {{ ref('cohort_sessions') }}
    where item_responses > 0

),

placed as (

    select
        *,
        least(session_number, 13) as place,
        rated_sessions >= 4 as rated_four
    from sessions

),

-- Everybody is in one of the two kinds, so that people may be added up over them; over provider types they may not.
counted as (
    {% for kind in ['provider_type', "'all'"] %}
    select
        rated_four,
        {{ kind }} as provider_type,
        place,
        -- A participant has one session of each number, and only of those from the thirteenth on maybe several.
        {{ whole_sum('case when place < 13 then sessions else 0 end') }}
        + count(distinct case when place = 13 then participant_id end) as participants,
        {%- for column in sums %}
        {{ whole_sum(column) }} as {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from placed
    group by rated_four, place{{ ', provider_type' if loop.first }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

grouped as (
    {% for population, condition in {'everyone': 'true', 'four_rated_sessions': 'rated_four'}.items() %}
    select
        '{{ population }}' as population,
        provider_type,
        place,
        {{ whole_sum('participants') }} as participants,
        {%- for column in sums %}
        {{ whole_sum(column) }} as {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from counted
    where {{ condition }}
    group by provider_type, place
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

final as (

    select
        population,
        provider_type,
        case when place = 13 then '13+' else cast(place as {{ dbt.type_string() }}) end as session_number,
        participants,
        ratings,
        item_sum,
        item_responses,
        cast(item_sum as double) / item_responses as alliance_mean,
        paired_ratings,
        top_ratings,
        cast(top_ratings as double) / nullif(paired_ratings, 0) as top_share
    from grouped

)

select * from final
