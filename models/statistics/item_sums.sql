-- Sums, squares and products of the two alliance items: all that Cronbach's alpha needs to know of them.
-- depends_on: {{ ref('gate_candidates') }}
with

judged as (

    {{ judged_participants() }}

),

facts as (

    select * from judged
    where is_eligible

),

participant_means as (

    select
        'participant_means' as population,
        bond_responses,
        goals_responses,
        count(*) as n,
        {{ whole_sum('bond_sum') }} as bond,
        {{ whole_sum('goals_sum') }} as goals,
        {{ whole_sum('bond_sum * bond_sum') }} as bond_squares,
        {{ whole_sum('goals_sum * goals_sum') }} as goals_squares,
        {{ whole_sum('bond_sum * goals_sum') }} as products
    from facts
    where bond_responses > 0 and goals_responses > 0
    group by bond_responses, goals_responses

),

session_ratings as (

    select
        'session_ratings' as population,
        cast(1 as bigint) as bond_responses,
        cast(1 as bigint) as goals_responses,
        {{ whole_sum('paired_ratings') }} as n,
        {{ whole_sum('paired_bond') }} as bond,
        {{ whole_sum('paired_goals') }} as goals,
        {{ whole_sum('paired_bond_squares') }} as bond_squares,
        {{ whole_sum('paired_goals_squares') }} as goals_squares,
        {{ whole_sum('paired_products') }} as products
    from facts

),

final as (

    select * from participant_means
    union all
    select * from session_ratings
    where n > 0

)

select * from final
