-- Of the deliveries of one session, the row with the latest `loaded_at` stands; rows of erased participants are left out.
{{ current_rows('sessions') }}
