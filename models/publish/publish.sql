-- The one step that changes schema marts: all tables of this build in one transaction, or none.
-- depends_on: {{ ref('gate_files') }}, {{ ref('gate_raw') }}, {{ ref('gate_accepted') }}, {{ ref('gate_candidates') }}, {{ ref('gate_findings') }}, {{ ref('gate_reproduction') }}, {{ ref('volumes') }}
{%- if study().further_tables %}
-- depends_on: {{ ref('gate_outcomes') }}, {{ ref('gate_outcome_findings') }}
{%- endif %}
{%- if var('provider_marts') %}
-- depends_on: {{ ref('gate_providers') }}
{%- endif %}
{{ config(materialized='publication', schema='audit') }}
{%- set tables = [
    ref('eligibility'),
    ref('eligibility_flow'),
    ref('participant_alliance'),
    ref('who5_change'),
    ref('analysis_cohort'),
    ref('table_1'),
    ref('inference_results'),
    ref('model_fit'),
    ref('reproduction'),
    ref('consistency'),
    ref('alliance_distribution'),
    ref('wellbeing_transitions'),
    ref('exclusion_reasons'),
    ref('source_summary'),
    ref('build_parameters'),
    ref('alliance_slopes'),
    ref('sensitivity_results'),
    ref('alliance_trajectory'),
    ref('service_monthly'),
    ref('service_signals'),
] %}
{%- if study().further_tables %}
{%- do tables.extend([ref('outcome_change'), ref('outcome_results'), ref('outcome_fit')]) %}
{%- endif %}
{%- if var('provider_marts') %}
{%- do tables.append(ref('provider_alliance')) %}
{%- endif %}
{%- for table in tables %}
select
    '{{ invocation_id }}' as build_id,
    '{{ table.identifier }}' as table_name,
    (select count(*) from {{ table }}) as published_rows,
    raw_folder,
    raw_format,
    is_calibrated,
    is_synthetic,
    min_cell,
    round_counts,
    started_at
from {{ ref('build') }}
{% if not loop.last %}union all{% endif %}
{%- endfor %}
