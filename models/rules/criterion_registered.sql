-- A participant is registered when they finished registering on the platform.
with

answered as (

    select * from {{ ref('criterion_sponsored') }}

),

final as (

    select
        *,
        registered_at is not null as is_registered,
        case
            when registered_at is null then 'never finished registering'
        end as registered_failure
    from answered

)

select * from final
