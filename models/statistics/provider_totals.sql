-- The sums by main provider added up: all that the intraclass correlation and the model within and between providers need to know of the providers.
with

providers as (

    select * from {{ ref('provider_sums') }}

),

final as (

    select
        cast({{ alliance_unit() }} as bigint) as unit,
        count(*) as cohort_providers,
        coalesce({{ whole_sum('cohort_n') }}, 0) as cohort_n,
        {{ wide_text(wide_product('cohort_n', 'cohort_n')) }} as cohort_squared_sizes,
        {{ wide_text('cohort_alliance') }} as cohort_alliance,
        {{ wide_text('cohort_alliance_squares') }} as cohort_alliance_squares,
        {{ wide_text(wide_product('cohort_n', 'cohort_provider_mean')) }} as cohort_provider_mean,
        {{ wide_text(wide_product(wide_product('cohort_n', 'cohort_provider_mean'), 'cohort_provider_mean')) }}
            as cohort_provider_mean_squares,
        count(case when n > 0 then 1 end) as providers,
        coalesce({{ whole_sum('n') }}, 0) as n,
        {%- set variables = model_variables() %}
        {%- for variable in variables %}
        {{ wide_text(variable) }} as {{ variable }},
        {%- for other in variables[loop.index0:] %}
        {{ wide_text(variable ~ '_x_' ~ other) }} as {{ variable }}_x_{{ other }},
        {%- endfor %}
        {{ wide_text('alliance_mean_x_' ~ variable) }} as alliance_mean_x_{{ variable }},
        {{ wide_text(wide_product('provider_mean', variable)) }} as provider_mean_x_{{ variable }},
        {%- endfor %}
        {{ wide_text('alliance_mean') }} as alliance_mean,
        {{ wide_text('alliance_mean_x_alliance_mean') }} as alliance_mean_x_alliance_mean,
        {{ wide_text(wide_product('provider_mean', 'alliance_mean')) }} as alliance_mean_x_provider_mean,
        {{ wide_text(wide_product('provider_mean', 'n')) }} as provider_mean,
        {{ wide_text(wide_product(wide_product('provider_mean', 'n'), 'provider_mean')) }}
            as provider_mean_x_provider_mean
    from providers

)

select * from final
