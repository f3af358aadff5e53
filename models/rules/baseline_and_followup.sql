-- The baseline is the latest scored assessment strictly before the first session; the follow-up the latest strictly after the last session, no later than the study's end and at least seven days after the baseline; of several at one moment the smallest id counts.
{{ scores_around_care(ref('who5_scores'), 'who5_score', outcome()) }}
