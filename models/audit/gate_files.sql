-- The part files may be read when every one has the declared columns in the declared types.
{{ gate([ref('audit_files')], 'files', advice_on_files()) }}
