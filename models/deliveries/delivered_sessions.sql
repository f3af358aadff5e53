-- Every delivered row of `sessions` that was read, and whether it stands, was superseded or is a copy.
{{ config(unique_key='session_id') }}
{{ deliveries('sessions', 'session_id', [
    'session_id', 'participant_id', 'provider_id', 'provider_type', 'started_at', 'status',
    'duration_minutes', 'loaded_at'
]) }}
