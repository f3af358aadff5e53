-- A session counts when it was completed and its UTC date lies in the study window, both days included.
-- depends_on: {{ ref('gate_raw') }}
with

sessions as (

    select * from {{ ref('stg_sessions') }}

),

final as (

    select
        session_id,
        participant_id,
        provider_type,
        started_at
    from sessions
    where
        status = 'completed'
        and {{ utc_date('started_at') }} between date '{{ var("study_start") }}' and date '{{ var("study_end") }}'

)

select * from final
