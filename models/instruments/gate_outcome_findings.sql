-- Findings of further instruments are published only behind this gate: it opens when no critical rule on them is broken in this build.
{{ gate([ref('audit_outcome_findings')], 'outcome_findings') }}
