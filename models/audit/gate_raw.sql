-- The raw export may be used when its rows break no critical rule, are all accounted for, and are about as many as last time.
{{ gate([ref('audit_raw'), ref('audit_accepted'), ref('audit_rows'), ref('audit_volumes')], 'raw',
    'Deliver the right rows with a later loaded_at or mend their files; docs/refresh.md says how faulty rows can wait in quarantine.') }}
