-- Alliance scores in classes half a point wide, by utilization type; low scores are few and share a class, the top score is a class of its own.
with

frequencies as (

    select * from {{ ref('score_frequencies') }}

),

scores as (

    select
        level as utilization_type,
        -- In whole numbers: twice the score, rounded down to half points.
        case
            when item_sum < 3 * item_responses then 2
            else cast(floor(2 * item_sum / item_responses) as integer)
        end as half_points,
        participants
    from frequencies
    where grouping = 'utilization_type'

),

final as (

    select
        utilization_type,
        cast(half_points as double) / 2 as score_from,
        cast(case when half_points = 2 then 6 else least(half_points + 1, 10) end as double) / 2 as score_to,
        {{ whole_sum('participants') }} as participants,
        1e2 * sum(participants) / sum(sum(participants)) over (partition by utilization_type) as percent
    from scores
    group by utilization_type, half_points

)

select * from final
