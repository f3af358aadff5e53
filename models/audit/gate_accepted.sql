-- The rows that are left may be published on when they keep every rule, are all accounted for, and are about as many as last time.
{{ gate([ref('audit_accepted'), ref('audit_rows'), ref('audit_volumes')], 'accepted', advice_on_rows()) }}
