-- Change of every instrument is follow-up minus baseline; which change is for the better, and what screens positive, the study says.
-- depends_on: {{ ref('quarantined_rows') }}
with

who5 as (

    select
        '{{ outcome().id }}' as instrument,
        participant_id,
        {{ change_columns(outcome(), 'score_change') }}
    from {{ ref('participant_facts') }}
    where baseline_score is not null and followup_score is not null

),
{% for instrument in study().instruments[1:] %}
{{ instrument.id }}_scores as (

    select
        assessment_id,
        participant_id,
        completed_at,
        {{ score_of(instrument) }} as score
    from {{ rows_of('stg', instrument.table) }}
    where {{ score_of(instrument) }} is not null

),

{{ instrument.id }}_around_care as (

    {{ scores_around_care(instrument.id ~ '_scores', 'score', instrument) }}

),

{{ instrument.id }} as (

    select
        '{{ instrument.id }}' as instrument,
        participant_id,
        {{ change_columns(instrument, 'score_change') }}
    from {{ instrument.id }}_around_care
    where baseline_score is not null and followup_score is not null

),
{% endfor %}
final as (

    select * from who5
    {%- for instrument in study().instruments[1:] %}
    union all
    select * from {{ instrument.id }}
    {%- endfor %}

)

select * from final
