{#- Every pair of a regression's variables as one row: their means and their centred cross-product, the sum of
    (x - mean x)(y - mean y). One pass over the sample, however many the pairs.

    `terms` maps the name of a term in the results to its column in the sample. -#}
{% macro cross_products(analysis, relation, terms) %}
    {%- set names = terms.keys() | list %}
    with moments as (

        select
            count(*) as n
            {%- for row_name in names %}
            {%- set row_index = loop.index0 %},
            avg({{ terms[row_name] }}) as mean_{{ row_index }}
            {%- for column_name in names[row_index:] %},
            count(*) * covar_pop({{ terms[row_name] }}, {{ terms[column_name] }})
                as product_{{ row_index }}_{{ row_index + loop.index0 }}
            {%- endfor %}
            {%- endfor %}
        from {{ relation }}

    )
    {% for row_name in names %}
    {%- set row_index = loop.index0 %}
    {%- set is_last_row = loop.last %}
    {%- for column_name in names[row_index:] %}
    select
        '{{ analysis }}' as analysis,
        '{{ row_name }}' as row_term,
        '{{ column_name }}' as column_term,
        n,
        mean_{{ row_index }} as row_mean,
        mean_{{ row_index + loop.index0 }} as column_mean,
        product_{{ row_index }}_{{ row_index + loop.index0 }} as cross_product
    from moments
    {% if not (is_last_row and loop.last) %}union all{% endif %}
    {%- endfor %}
    {%- endfor %}
{% endmacro %}
