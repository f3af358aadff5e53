-- The alliance by provider is published only behind this gate: it opens when no critical rule on it is broken in this build.
{{ gate([ref('audit_providers')], 'providers') }}
