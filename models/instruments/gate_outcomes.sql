-- Findings of further instruments are computed only behind this gate: it opens when no critical rule on their changes is broken in this build.
-- depends_on: {{ ref('gate_candidates') }}
{{ gate([ref('audit_outcome_change')], 'outcomes') }}
