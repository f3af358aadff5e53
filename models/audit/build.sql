-- The build that is running: its id, what it reads, and the vars that define it.
-- depends_on: {{ ref('audit_files') }}
with

export as (

    select * from {{ source('raw', 'export') }}

),

final as (

    select
        '{{ invocation_id }}' as build_id,
        cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp) as started_at,
        raw_folder,
        raw_format,
        {{ 'is_calibrated' if study().has_printed_figures else 'false as is_calibrated' }},
        is_synthetic,
        cast('{{ var("study_start") }}' as date) as study_start,
        cast('{{ var("study_end") }}' as date) as study_end,
        {% for name in ['min_cell', 'round_counts'] -%}
        cast({{ var(name) }} as integer) as {{ name }},
        {% endfor -%}
        '{{ study().name }}' as study,
        {{ text_literal(tojson(study().definition)) }} as study_definition,
        '{{ var("on_bad_rows") }}' as on_bad_rows
    from export

)

select * from final
