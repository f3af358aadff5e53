-- The candidates may be analysed when they break no critical rule and their counts reconcile.
{{ gate([ref('audit_candidates')], 'candidates') }}
