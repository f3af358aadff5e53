-- The WHO-5 score is four times the sum of the five answered items; an assessment with a skipped item has none and is not used.
with

assessments as (

    select * from {{ ref('stg_who5_assessments') }}

),

scored as (

    select
        assessment_id,
        participant_id,
        completed_at,
        {{ score_of(outcome()) }} as who5_score
    from assessments

),

final as (

    select * from scored
    where who5_score is not null

)

select * from final
