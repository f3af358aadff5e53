-- On an export that is calibrated to the printed figures every figure is reproduced, except those that no data could; on any other export the comparison is no gate.
with

reproduction as (

    select * from {{ ref('reproduction') }}

),

printed as (

    select * from {{ ref('printed_figures') }}

),

irreproducible as (

    select * from {{ ref('irreproducible_figures') }}

),

build as (

    select * from {{ ref('build') }}

),

disagreements as (

    select
        reproduction.figure_id
        || ': printed ' || reproduction.printed
        || ', ours ' || coalesce(cast(reproduction.our_value as {{ dbt.type_string() }}), 'undefined') as message
    from reproduction
    cross join build
    inner join printed on reproduction.figure_id = printed.figure_id
    left join irreproducible on reproduction.figure_id = irreproducible.figure_id
    where
        build.is_calibrated
        and irreproducible.figure_id is null
        and not coalesce(reproduction.agrees, false)
        and not (reproduction.our_value is null and printed.target_table = 'study_parameter')

),

messages as (

    select
        count(*) as disagreements,
        {{ dbt.listagg('message', "chr(10) || '  '", 'order by message') }} as message
    from disagreements

),

final as (

    select
        build.build_id,
        build.is_calibrated,
        case
            when messages.disagreements > 0
                then
                    {{ raise_error(
                        "'gate reproduction is closed, marts stay as they were. Printed figures no longer reproduced: '"
                        ~ " || messages.disagreements || chr(10) || '  ' || messages.message"
                    ) }}
            else true
        end as is_open
    from build
    cross join messages

)

select * from final
