-- Alliance scores in classes half a point wide, by utilization type; low scores are few and share a class, the top score is a class of its own.
with

scores as (

    select
        level as utilization_type,
        case when alliance_score < 3 then 1 else floor(2 * alliance_score) / 2 end as score_from,
        participants
    from {{ ref('alliance_score_frequencies') }}
    where grouping = 'utilization_type'

),

final as (

    select
        utilization_type,
        cast(score_from as double) as score_from,
        cast(case when score_from = 1 then 3 else least(score_from + 0.5, 5) end as double) as score_to,
        cast(sum(participants) as bigint) as participants,
        100.0 * sum(participants) / sum(sum(participants)) over (partition by utilization_type) as percent
    from scores
    group by utilization_type, score_from
    order by utilization_type, score_from

)

select * from final
