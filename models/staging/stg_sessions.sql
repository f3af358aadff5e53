-- The current sessions that the study may use: those that are not in quarantine.
{{ accepted_rows('sessions') }}
