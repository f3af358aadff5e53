-- The current rows of `alliance_ratings` that are not in quarantine: what the study is computed from.
{{ accepted_rows('alliance_ratings', 'rating_id') }}
