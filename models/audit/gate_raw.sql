-- The current rows may be used when they break no critical rule, but for rows that may wait in quarantine.
{{ gate([ref('audit_raw')], 'raw', advice_on_rows()) }}
