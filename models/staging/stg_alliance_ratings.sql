-- The current alliance ratings that the study may use: those that are not in quarantine.
{{ accepted_rows('alliance_ratings') }}
