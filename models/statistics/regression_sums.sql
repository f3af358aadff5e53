-- Sums and products of the regressions' variables by alliance score, utilization type and sex, among those who screened positive and whose sex is reported: all that ordinary least squares needs to know of them.
-- depends_on: {{ ref('gate_candidates') }}
{%- set variables = ['age_years', 'time_in_care', 'baseline_score', 'followup_score', 'total_sessions'] %}
with

cohort as (

    {{ cohort_in_whole_numbers() }}

),

sample as (

    select
        alliance_score,
        item_sum,
        item_responses,
        utilization_type,
        sex,
        cast(age_years as bigint) as age_years,
        cast(time_in_care_days as bigint) as time_in_care,
        cast(baseline_score as bigint) as baseline_score,
        cast(followup_score as bigint) as followup_score,
        cast(total_sessions as bigint) as total_sessions
    from cohort
    where screened_positive and sex is not null

),

final as (

    select
        {{ alliance_quotient() }},
        utilization_type,
        sex,
        count(*) as n,
        {%- for variable in variables %}
        {{ whole_sum(variable) }} as {{ variable }},
        {%- endfor %}
        {%- for first in variables %}
        {%- set is_last_row = loop.last %}
        {%- for second in variables[loop.index0:] %}
        {{ whole_sum(first ~ ' * ' ~ second) }} as {{ first }}_x_{{ second }}
        {%- if not (is_last_row and loop.last) %},{% endif %}
        {%- endfor %}
        {%- endfor %}
    from sample
    group by alliance_score, utilization_type, sex

)

select * from final
