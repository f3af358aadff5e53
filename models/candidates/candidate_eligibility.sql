-- A participant is eligible when every criterion holds; the first that fails, in the study's order, is the reason kept.
{{ config(alias='eligibility') }}
with

answered as (

    select * from {{ ref('criterion_rating') }}

),

judged as (

    select
        *,
        case
            {%- for criterion in eligibility_criteria() %}
            when not {{ criterion.flag }} then '{{ criterion.name }}'
            {%- endfor %}
        end as first_failed_criterion,
        case
            {%- for criterion in eligibility_criteria() %}
            when not {{ criterion.flag }} then {{ criterion.name }}_failure
            {%- endfor %}
        end as exclusion_reason
    from answered

),

final as (

    select
        participant_id,
        {%- for criterion in eligibility_criteria() %}
        {{ criterion.flag }},
        {%- endfor %}
        first_failed_criterion is null as is_eligible,
        first_failed_criterion,
        exclusion_reason
    from judged

)

select * from final
