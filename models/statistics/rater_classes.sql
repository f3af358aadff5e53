-- Who passes every criterion but the rating, screened positive and miss no predictor, counted by the classes by which the chance to have rated is estimated, with the sums and products of the raters of each class.
-- depends_on: {{ ref('gate_candidates') }}
{%- set criteria = eligibility_criteria() | rejectattr('name', 'equalto', 'rating') | map(attribute='flag') | list %}
with

participants as (

    {{ participants_with_terms(criteria | join(' and ')) }}

),

members as (

    select
        rater_class,
        is_eligible as has_rated,
        {{ named_terms() }}
        {{ alliance_in_units('item_sum', 'item_responses') }} as alliance_mean
    from participants
    where screened_positive and predictors_known

),

final as (

    select
        rater_class,
        cast({{ alliance_unit() }} as bigint) as unit,
        count(*) as members,
        count(case when has_rated then 1 end) as n,
        {{ sums_with_variants(model_variables(), ['alliance_mean'], 'has_rated') }}
    from members
    group by rater_class

)

select * from final
