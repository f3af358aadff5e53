-- A rule is settled when every row kept it in the last build whose rows were used: since then only the rows that changed can break it.
-- depends_on: {{ ref('delivered_participants') }}, {{ ref('delivered_who5_assessments') }}, {{ ref('delivered_sessions') }}, {{ ref('delivered_alliance_ratings') }}
select * from {{ state_table('settled_rules') }}
