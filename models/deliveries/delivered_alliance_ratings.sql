-- Every delivered row of `alliance_ratings` that was read, and whether it stands, was superseded or is a copy.
{{ config(unique_key='rating_id') }}
{{ deliveries('alliance_ratings', 'rating_id', [
    'rating_id', 'session_id', 'submitted_at', 'bond_item', 'goals_item', 'loaded_at'
]) }}
