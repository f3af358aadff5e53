-- Sums, squares and products of the five items of the baseline assessments of the cohort: all that Cronbach's alpha of the WHO-5 needs to know of them.
{#- Of several assessments at the moment of the baseline the one with the smallest id is it, as in baseline_and_followup.
    The findings refuse items that do not make the baseline scores. -#}
-- depends_on: {{ ref('gate_candidates') }}
{%- set items = ['item_1', 'item_2', 'item_3', 'item_4', 'item_5'] %}
with

judged as (

    {{ judged_participants() }}

),

cohort as (

    select
        participant_id,
        baseline_at
    from judged
    where is_eligible

),

assessments as (

    select * from {{ ref('stg_who5_assessments') }}

),

at_baseline as (

    select
        assessments.participant_id,
        {%- for item in items %}
        assessments.{{ item }},
        {%- endfor %}
        row_number() over (partition by assessments.participant_id order by assessments.assessment_id) as place
    from assessments
    inner join cohort
        on assessments.participant_id = cohort.participant_id and assessments.completed_at = cohort.baseline_at
    where {{ items | map('replace', 'item', 'assessments.item') | join(' + ') }} is not null

),

final as (

    select
        count(*) as n,
        {%- for item in items %}
        coalesce({{ whole_sum(item) }}, 0) as {{ item }},
        {%- endfor %}
        {%- for item in items %}
        {%- set is_last_row = loop.last %}
        {%- for other in items[loop.index0:] %}
        coalesce({{ whole_sum(item ~ ' * ' ~ other) }}, 0) as {{ item }}_x_{{ other }}
        {%- if not (is_last_row and loop.last) %},{% endif %}
        {%- endfor %}
        {%- endfor %}
    from at_baseline
    where place = 1

)

select * from final
