-- The current rows of `sessions` that are not in quarantine: what the study is computed from.
{{ accepted_rows('sessions', 'session_id') }}
