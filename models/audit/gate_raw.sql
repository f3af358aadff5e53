-- The raw export may be used when its rows break no critical rule, are all accounted for, and are about as many as last time.
{{ gate([ref('audit_raw'), ref('audit_accepted'), ref('audit_rows'), ref('audit_volumes')], 'raw') }}
