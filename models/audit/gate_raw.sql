-- The raw export may be used when its current rows break no critical rule.
{{ gate(ref('audit_raw'), 'raw') }}
