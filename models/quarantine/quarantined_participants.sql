-- Current rows of `participants` that break a row-level rule, or depend on a row that does; there are none unless on_bad_rows is quarantine.
{{ config(alias='participants') }}
{{ quarantined_rows('participants', 'participant_id') }}
