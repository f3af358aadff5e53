-- Current rows of `sessions` that break a row-level rule, or depend on a row that does; there are none unless on_bad_rows is quarantine.
{{ config(alias='sessions') }}
{{ quarantined_rows('sessions', 'session_id', 'participants', 'participant_id') }}
