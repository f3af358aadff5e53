-- The candidates may be analysed when they break no critical rule, their counts reconcile, and the cohort is neither empty nor much smaller than last time.
{{ gate([ref('audit_candidates'), ref('audit_cohort')], 'candidates') }}
