-- How many participants are still in after each criterion, and how many it excluded.
{{ config(alias='eligibility_flow') }}
with

eligibility as (

    select * from {{ ref('candidate_eligibility') }}

),

steps as (

    select
        0 as step,
        'all' as criterion
    {%- for criterion in eligibility_criteria() %}
    union all
    select
        {{ loop.index }} as step,
        '{{ criterion.name }}' as criterion
    {%- endfor %}

),

exclusions as (

    select
        first_failed_criterion as criterion,
        count(*) as excluded
    from eligibility
    where first_failed_criterion is not null
    group by first_failed_criterion

),

everyone as (

    select count(*) as participants from eligibility

),

final as (

    select
        steps.step,
        steps.criterion,
        cast(
            everyone.participants - sum(coalesce(exclusions.excluded, 0)) over (order by steps.step) as bigint
        ) as participants,
        coalesce(exclusions.excluded, 0) as excluded
    from steps
    cross join everyone
    left join exclusions on steps.criterion = exclusions.criterion

)

select * from final
order by step
