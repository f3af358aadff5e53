-- Score frequencies lose nobody: every grouping counts each cohort member whose group is known.
{%- set groupings = study().groupings %}
{%- set correlates = study().correlations %}
with

cohort as (

    select * from {{ ref('analysis_cohort') }}

),

known as (
    {% for grouping in groupings + correlates %}
    select
        '{{ grouping.name }}' as grouping,
        count({{ grouping.sql }}) as participants
    from cohort
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

counted as (

    select
        grouping,
        sum(participants) as participants
    from {{ ref('score_frequencies') }}
    group by grouping
    union all
    select
        correlate as grouping,
        sum(participants) as participants
    from {{ ref('correlate_frequencies') }}
    group by correlate

)

select
    known.grouping,
    known.participants
from known
left join counted on known.grouping = counted.grouping
where known.participants <> coalesce(counted.participants, 0)
