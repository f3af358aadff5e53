-- The build that is running: its id, what it reads, and the vars that define it.
{%- if execute and (var('min_cell') is not integer or var('min_cell') < 2) %}
    {%- do exceptions.raise_compiler_error('var min_cell is ' ~ var('min_cell') ~ '; it must be a whole number, 2 or more') %}
{%- endif %}
{%- if execute and (var('round_counts') is not integer or var('round_counts') < 1) %}
    {%- do exceptions.raise_compiler_error('var round_counts is ' ~ var('round_counts') ~ '; it must be a whole number, 1 or more') %}
{%- endif %}
select
    '{{ invocation_id }}' as build_id,
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp) as started_at,
    '{{ env_var("RAPPORT_RAW", "demo") | replace("'", "''") }}' as raw_folder,
    '{{ env_var("RAPPORT_RAW_FORMAT", "parquet") | replace("'", "''") }}' as raw_format,
    (select count(*) > 0 from glob('{{ raw_path("_calibration.json") }}')) as is_calibrated,
    (
        select count(*) > 0
        from glob(['{{ raw_path("_calibration.json") }}', '{{ raw_path("_synthetic.json") }}'])
    ) as is_synthetic,
    cast('{{ var("study_start") }}' as date) as study_start,
    cast('{{ var("study_end") }}' as date) as study_end,
    {% for name in ['min_followup_days', 'who5_cutoff', 'improvement_points', 'adult_age'] -%}
    cast({{ var(name) }} as integer) as {{ name }},
    {% endfor -%}
    '{{ var("home_country") }}' as home_country,
    '{{ var("on_bad_rows") }}' as on_bad_rows,
    cast({{ var('min_cell') }} as integer) as min_cell,
    cast({{ var('round_counts') }} as integer) as round_counts
