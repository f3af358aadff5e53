-- How many participants are still in after each criterion, and how many it excluded.
with

eligibility as (

    {{ judged_participants() }}

),

quarantined_rows as (

    select * from {{ ref('quarantined_rows') }}

),

quarantined_participants as (

    select distinct quarantined_rows.row_key as participant_id
    from quarantined_rows
    left join eligibility on quarantined_rows.row_key = eligibility.participant_id
    where quarantined_rows.table_name = 'participants' and eligibility.participant_id is null

),

answers_in_quarantine as (

    select * from {{ ref('answers_in_quarantine') }}

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
        eligibility.first_failed_criterion as criterion,
        count(*) as excluded,
        count(answers_in_quarantine.participant_id) as quarantined
    from eligibility
    left join answers_in_quarantine
        on
            eligibility.participant_id = answers_in_quarantine.participant_id
            and eligibility.first_failed_criterion = answers_in_quarantine.criterion
    where eligibility.first_failed_criterion is not null
    group by eligibility.first_failed_criterion

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
        coalesce(exclusions.excluded, 0) as excluded,
        case
            when steps.step = 0 then (select count(*) from quarantined_participants)
            else coalesce(exclusions.quarantined, 0)
        end as quarantined
    from steps
    cross join everyone
    left join exclusions on steps.criterion = exclusions.criterion

)

select * from final
