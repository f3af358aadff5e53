-- Every delivered row of `participants` that was read, and whether it stands, was superseded or is a copy.
{{ config(unique_key='participant_id') }}
{{ deliveries('participants', 'participant_id', [
    'participant_id', 'registered_at', 'age_years', 'sex', 'country_code', 'employer_sponsored',
    'loaded_at'
]) }}
