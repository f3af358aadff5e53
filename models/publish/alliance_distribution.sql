-- Alliance scores in classes a quarter of a point wide, by utilization type; the top score is a class of its own.
with

scores as (

    select
        level as utilization_type,
        floor(4 * alliance_score) / 4 as score_from,
        participants
    from {{ ref('alliance_score_frequencies') }}
    where grouping = 'utilization_type'

),

final as (

    select
        utilization_type,
        cast(score_from as double) as score_from,
        cast(least(score_from + 0.25, 5) as double) as score_to,
        cast(sum(participants) as bigint) as participants,
        100.0 * sum(participants) / sum(sum(participants)) over (partition by utilization_type) as percent
    from scores
    group by utilization_type, score_from
    order by utilization_type, score_from

)

select * from final
