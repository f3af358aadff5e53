-- The current WHO-5 assessments that the study may use: those that are not in quarantine.
{{ accepted_rows('who5_assessments') }}
