-- Each printed figure recomputed from other printed figures, with a verdict.
with

recomputed as (

    select * from {{ ref('recomputed_figures') }}

),

final as (

    select
        rule,
        inputs,
        recomputed,
        printed,
        verdict,
        explanation
    from recomputed

)

select * from final
