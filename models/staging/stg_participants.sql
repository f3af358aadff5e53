-- The current participants that the study may use: those that are not in quarantine.
{{ accepted_rows('participants') }}
