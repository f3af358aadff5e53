-- Of the deliveries of one WHO-5 assessment, the row with the latest `loaded_at` stands; rows of erased participants are left out.
{{ current_rows('who5_assessments') }}
