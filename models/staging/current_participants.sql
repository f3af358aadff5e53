-- Of the deliveries of one participant, the row with the latest `loaded_at` stands; rows of erased participants are left out.
{{ current_rows('participants') }}
