{#- A column as z-scores over the whole relation; null throughout if it does not vary. The threshold is relative: the
    computed deviation of a constant such as 13/3 can be a rounding error instead of 0. -#}
{% macro z_score(column) -%}
    case
        when stddev_samp({{ column }}) over () > 1e-12 * max(abs({{ column }})) over ()
            then ({{ column }} - avg({{ column }}) over ()) / stddev_samp({{ column }}) over ()
    end
{%- endmacro %}
