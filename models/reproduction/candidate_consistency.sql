-- Each printed figure recomputed from other printed figures, with a verdict.
{{ config(alias='consistency') }}
with

findings as (

    select * from {{ ref('consistency_findings') }}

),

final as (

    select
        cast(rule as varchar) as rule,
        cast(inputs as varchar) as inputs,
        cast(recomputed as varchar) as recomputed,
        cast(printed as varchar) as printed,
        cast(verdict as varchar) as verdict,
        cast(explanation as varchar) as explanation
    from findings

)

select * from final
