-- Squared scores added up for the sandwich estimators, in the orthonormal coordinates of each fit: of rows with their leverage, of weighted rows, and of clusters.
{#- A score is a fractional number, so its squares are added up as fixed-point numbers: one sum, whatever the order of the
    rows and the number of threads. In orthonormal coordinates and standard deviations of the residual every summand is of
    the order of 1 over the number of rows, for which the fixed point has digits enough. -#}
{%- set terms = model_variables()[:-1] %}
{%- set outcome = model_variables()[-1] %}
{%- set unit = 'cast(' ~ alliance_unit() ~ ' as double)' %}
-- noqa: disable=LT02,LT05
{#- Places of the terms: the covariates, the alliance or its part within providers, its part between them. -#}
{%- set alliance, between = terms | length + 1, terms | length + 2 %}
with

fits as (

    select * from {{ ref('sensitivity_fits') }}

),

providers as (

    select * from {{ ref('provider_sums') }}
    where n > 0

),

sample as (

    select
        {%- for term in terms %}
        cast({{ term }} as double) as x_{{ loop.index }},
        {%- endfor %}
        cast(alliance_mean as double) / {{ unit }} as x_{{ alliance }},
        cast({{ outcome }} as double) as y,
        rater_class
    from {{ ref('sensitivity_rows') }}
    where screened_positive and predictors_known

),
{% for name, analysis, condition in [
    ('row', 'alliance_hc3', 'true'),
    ('weighted', 'alliance_rater_weighted', 'fits.rater_class = sample.rater_class'),
] %}
{{ name }}_residuals as (

    select
        fits.weight,
        fits.inverse_root_n as z_0,
        {%- for i in range(1, alliance + 1) %}
        {%- for j in range(1, i + 1) %}
        {{ '+ ' if not loop.first }}fits.w_{{ i }}_{{ j }} * (sample.x_{{ j }} - fits.mean_{{ j }})
        {%- endfor %} as z_{{ i }},
        {%- endfor %}
        (
            sample.y - fits.outcome_mean
            {%- for i in range(1, alliance + 1) %}
            - fits.b_{{ i }} * (sample.x_{{ i }} - fits.mean_{{ i }})
            {%- endfor %}
        ) / fits.residual_sd as u
    from sample
    inner join fits on {{ condition }}
    where fits.analysis = '{{ analysis }}'

),
{% endfor %}
row_leverages as (

    select
        *,
        1
        - z_0 * z_0
        {%- for i in range(1, alliance + 1) %}
        - z_{{ i }} * z_{{ i }}
        {%- endfor %} as margin
    from row_residuals

),

row_scores as (

    select
        *,
        -- A row that the model fits by itself has no residual of its own.
        case when margin > 1e-9 then u / margin end as score
    from row_leverages

),

weighted_scores as (

    select
        *,
        weight * u as score,
        1 as margin
    from weighted_residuals

),

cluster_variables as (

    select
        'alliance_clustered' as analysis,
        cast(n as double) as n,
        {%- for i in range(1, alliance) %}
        {{ wide_to_double(terms[i - 1]) }} as x_{{ i }},
        {{ wide_to_double(terms[i - 1] ~ '_x_' ~ outcome) }} as xy_{{ i }},
        {%- for j in range(1, i + 1) %}
        {{ wide_to_double(terms[j - 1] ~ '_x_' ~ terms[i - 1]) }} as xx_{{ i }}_{{ j }},
        {%- endfor %}
        {{ wide_to_double('alliance_mean_x_' ~ terms[i - 1]) }} / {{ unit }} as xx_{{ alliance }}_{{ i }},
        cast(0 as double) as xx_{{ between }}_{{ i }},
        {%- endfor %}
        {{ wide_to_double('alliance_mean') }} / {{ unit }} as x_{{ alliance }},
        {{ wide_to_double('alliance_mean_x_' ~ outcome) }} / {{ unit }} as xy_{{ alliance }},
        {{ wide_to_double('alliance_mean_x_alliance_mean') }} / {{ unit }} / {{ unit }} as xx_{{ alliance }}_{{ alliance }},
        cast(0 as double) as x_{{ between }},
        cast(0 as double) as xy_{{ between }},
        cast(0 as double) as xx_{{ between }}_{{ alliance }},
        cast(0 as double) as xx_{{ between }}_{{ between }},
        {{ wide_to_double(outcome) }} as y,
        cast(provider_mean as double) / {{ unit }} as provider_mean
    from providers

),

-- Of those with one main provider, x within is x less the provider's mean, and x between is that mean.
split_variables as (

    select
        'alliance_within_between' as analysis,
        n,
        {%- for i in range(1, alliance) %}
        x_{{ i }},
        xy_{{ i }},
        {%- for j in range(1, i + 1) %}
        xx_{{ i }}_{{ j }},
        {%- endfor %}
        xx_{{ alliance }}_{{ i }} - provider_mean * x_{{ i }} as xx_{{ alliance }}_{{ i }},
        provider_mean * x_{{ i }} as xx_{{ between }}_{{ i }},
        {%- endfor %}
        x_{{ alliance }} - n * provider_mean as x_{{ alliance }},
        xy_{{ alliance }} - provider_mean * y as xy_{{ alliance }},
        xx_{{ alliance }}_{{ alliance }} - 2 * provider_mean * x_{{ alliance }} + n * provider_mean * provider_mean
            as xx_{{ alliance }}_{{ alliance }},
        n * provider_mean as x_{{ between }},
        provider_mean * y as xy_{{ between }},
        provider_mean * x_{{ alliance }} - n * provider_mean * provider_mean as xx_{{ between }}_{{ alliance }},
        n * provider_mean * provider_mean as xx_{{ between }}_{{ between }},
        y,
        provider_mean
    from cluster_variables

),

clusters as (

    select * from cluster_variables
    union all
    select * from split_variables

),

-- Sums over a cluster of the residual, and of the residual times each term.
cluster_residuals {{ as_it_stands() }} (

    select
        fits.*,
        clusters.n,
        (
            clusters.y - fits.outcome_mean * clusters.n
            {%- for i in range(1, between + 1) %}
            - fits.b_{{ i }} * (clusters.x_{{ i }} - fits.mean_{{ i }} * clusters.n)
            {%- endfor %}
        ) / fits.residual_sd as u,
        {%- for i in range(1, between + 1) %}
        (
            clusters.xy_{{ i }} - fits.outcome_mean * clusters.x_{{ i }}
            {%- for j in range(1, between + 1) %}
            - fits.b_{{ j }} * clusters.xx_{{ [i, j] | max }}_{{ [i, j] | min }}
            + fits.b_{{ j }} * fits.mean_{{ j }} * clusters.x_{{ i }}
            {%- endfor %}
        ) / fits.residual_sd as xu_{{ i }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from clusters
    inner join fits on clusters.analysis = fits.analysis

),

cluster_scores as (

    select
        analysis,
        inverse_root_n * u as s_0,
        {%- for i in range(1, between + 1) %}
        {%- for j in range(1, i + 1) %}
        {{ '+ ' if not loop.first }}w_{{ i }}_{{ j }} * (xu_{{ j }} - mean_{{ j }} * u)
        {%- endfor %} as s_{{ i }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from cluster_residuals

),

final as (
    {% for name, analysis in [('row', 'alliance_hc3'), ('weighted', 'alliance_rater_weighted')] %}
    select
        '{{ analysis }}' as analysis,
        count(*) as scores,
        count(case when score is null then 1 end) as saturated,
        {%- for i in range(0, between + 1) %}
        {%- for j in range(0, i + 1) %}
        {% if i == between -%}
        cast(0 as double)
        {%- else -%}
        {{ fixed_point_sum('score * score * z_' ~ i ~ ' * z_' ~ j) }}
        {%- endif %} as m_{{ i }}_{{ j }}{% if not (i == between and j == between) %},{% endif %}
        {%- endfor %}
        {%- endfor %}
    from {{ name }}_scores
    union all
    {%- endfor %}
    select
        analysis,
        count(*) as scores,
        cast(0 as bigint) as saturated,
        {%- for i in range(0, between + 1) %}
        {%- for j in range(0, i + 1) %}
        {{ fixed_point_sum('s_' ~ i ~ ' * s_' ~ j) }} as m_{{ i }}_{{ j }}{% if not (i == between and j == between) %},{% endif %}
        {%- endfor %}
        {%- endfor %}
    from cluster_scores
    group by analysis

)

select * from final
