-- Current rows of `alliance_ratings` that break a row-level rule, or depend on a row that does; there are none unless on_bad_rows is quarantine.
{{ config(alias='alliance_ratings') }}
{{ quarantined_rows('alliance_ratings', 'rating_id', 'sessions', 'session_id') }}
