-- The current rows of `participants` that are not in quarantine: what the study is computed from.
{{ accepted_rows('participants', 'participant_id') }}
