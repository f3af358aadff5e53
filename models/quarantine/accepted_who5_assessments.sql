-- The current rows of `who5_assessments` that are not in quarantine: what the study is computed from.
{{ accepted_rows('who5_assessments', 'assessment_id') }}
