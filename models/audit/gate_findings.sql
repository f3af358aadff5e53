-- The findings may be published when every promised row is there and no figure is impossible.
{{ gate([ref('audit_findings')], 'findings') }}
