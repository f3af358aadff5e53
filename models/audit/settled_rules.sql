-- A rule is settled when every row kept it in the last build whose rows were used: since then only the rows that changed can break it.
-- depends_on: {{ ref('delivered_participants') }}, {{ ref('delivered_who5_assessments') }}, {{ ref('delivered_sessions') }}, {{ ref('delivered_alliance_ratings') }}
with

settled_rules as (

    select * from {{ state_table('settled_rules') }}

),

rebuilt as (

    select count(*) > 0 as is_rebuilt from {{ state_table('touched_participants') }}
    where is_everyone

),

final as (

    select
        settled_rules.table_name,
        settled_rules.rule
    from settled_rules
    cross join rebuilt
    where settled_rules.definitions = {{ definitions_fingerprint() }} and not rebuilt.is_rebuilt

)

select * from final
