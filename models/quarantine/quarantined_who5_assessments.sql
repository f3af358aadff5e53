-- Current rows of `who5_assessments` that break a row-level rule, or depend on a row that does; there are none unless on_bad_rows is quarantine.
{{ config(alias='who5_assessments') }}
{{ quarantined_rows('who5_assessments', 'assessment_id', 'participants', 'participant_id') }}
