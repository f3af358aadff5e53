-- Every delivered row of `who5_assessments` that was read, and whether it stands, was superseded or is a copy.
{{ config(unique_key='assessment_id') }}
{{ deliveries('who5_assessments', 'assessment_id', [
    'assessment_id', 'participant_id', 'completed_at', 'item_1', 'item_2', 'item_3', 'item_4', 'item_5',
    'loaded_at'
]) }}
