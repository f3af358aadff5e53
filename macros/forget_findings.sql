{#- What an erasure takes from the history: figures by which the erased person could be found.

    A row of ops.findings_history stays if it equals every row of its analysis and term that stays, or if the numbers of
    people differ by min_cell or more: figures of two builds that few people set apart tell about those people. The
    newest stays in any case. Rows are judged from the newest to the oldest, each against all that stay: of 100, 120 and
    101 participants neighbours are far apart, but the first is one person away from the last. A null n differs by
    nothing. To be run once the build without the person is recorded, in its transaction. -#}
{% macro forget_findings_of_few(min_cell) %}
    delete from ops.findings_history
    where (build_number, analysis, term) in (
        with recursive

        figures as (

            select
                build_number,
                analysis,
                term,
                coalesce(n, 0) as people,
                md5(cast(struct_pack(*columns(* exclude (build_id, build_number, published_at))) as varchar)) as content,
                row_number() over (partition by analysis, term order by build_number desc) as position
            from ops.findings_history

        ),

        judged as (

            select
                build_number,
                analysis,
                term,
                position,
                false as goes,
                [{'people': people, 'content': content}] as kept
            from figures
            where position = 1
            union all
            select
                figures.build_number,
                figures.analysis,
                figures.term,
                figures.position,
                len(list_filter(
                    judged.kept,
                    lambda other: other.content <> figures.content
                    and abs(other.people - figures.people) < {{ min_cell }}
                )) > 0 as goes,
                case
                    when goes then judged.kept
                    else list_append(judged.kept, {'people': figures.people, 'content': figures.content})
                end as kept
            from judged
            inner join figures
                on
                    judged.analysis = figures.analysis
                    and judged.term = figures.term
                    and judged.position + 1 = figures.position

        )

        select
            build_number,
            analysis,
            term
        from judged
        where goes
    );
{% endmacro %}
