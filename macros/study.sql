{#- The study that is built, as `dbt_rapport` hands it over before dbt parses: `studies/<var study>.yml`, checked, with the
    values of the command line over those of the file. -#}
{% macro study() %}
    {{ return(var('study_definition')) }}
{% endmacro %}

{#- A value of a criterion or an instrument. One that a var sets is asked of the var, so that a unit test can fix it. -#}
{% macro value_of(owner, key) %}
    {{ return(var(owner.vars[key]) if key in owner.vars else owner['values'][key]) }}
{% endmacro %}

{#- A text of a criterion with its values in the place of their names in braces. -#}
{% macro filled(text, owner) %}
    {%- set found = namespace(text=text) %}
    {%- for key in owner['values'] %}
        {%- set found.text = found.text | replace('{' ~ key ~ '}', value_of(owner, key)) %}
    {%- endfor %}
    {{ return(found.text) }}
{% endmacro %}

{#- The criteria in the order in which the study applies them. Each has a name, the column that answers it, the condition over
    a participant's facts under which it holds (a missing answer fails), and the reason of a failure. -#}
{% macro eligibility_criteria() %}
    {%- set criteria = [] %}
    {%- for criterion in study().criteria %}
        {%- do criteria.append({
            'name': criterion.name,
            'flag': criterion.flag,
            'description': filled(criterion.description, criterion),
            'condition': filled(criterion.condition, criterion),
            'reason': filled(criterion.reason, criterion),
            'waits_for': criterion.waits_for,
            'model': criterion.model,
        }) %}
    {%- endfor %}
    {{ return(criteria) }}
{% endmacro %}

{#- The facts of every participant with the study's answer to each criterion, whether all hold, the first that fails and why. -#}
{% macro judged_participants() -%}
    {%- set criteria = eligibility_criteria() -%}
    select
        *,
        {{ criteria | map(attribute='flag') | join(' and ') }} as is_eligible,
        case
            {%- for criterion in criteria %}
            when not {{ criterion.flag }} then '{{ criterion.name }}'
            {%- endfor %}
        end as first_failed_criterion,
        case
            {%- for criterion in criteria %}
            when not {{ criterion.flag }} then {{ criterion.reason }}
            {%- endfor %}
        end as exclusion_reason
    from (
        select
            *,
            {%- for criterion in criteria %}
            coalesce({{ criterion.condition }}, false) as {{ criterion.flag }}{% if not loop.last %},{% endif %}
            {%- endfor %}
        from {{ ref('participant_facts') }} as facts
        {%- for criterion in criteria if criterion.model %}
        left join (
            select participant_id as of_{{ criterion.name }}, holds as criterion_{{ criterion.name }}
            from {{ ref(criterion.model) }}
        ) as {{ criterion.name }} on facts.participant_id = {{ criterion.name }}.of_{{ criterion.name }}
        {%- endfor %}
    ) as answered
{%- endmacro %}

{#- The instrument of the study's outcome. -#}
{% macro outcome() %}
    {{ return(study().instruments[0]) }}
{% endmacro %}

{#- The columns of a model's contract by name: those of its YAML, the answer to each criterion before `is_eligible`, and, where
    its `meta` says `has_study_facts`, the study's further facts. -#}
{% macro columns_of(node) %}
    {%- set columns = {} %}
    {%- for name, column in node.columns.items() %}
        {%- if name == 'is_eligible' %}
            {%- for criterion in eligibility_criteria() %}
                {%- do columns.update({criterion.flag: {
                    'name': criterion.flag,
                    'data_type': 'boolean',
                    'description': criterion.description,
                    'constraints': [{'type': 'not_null'}],
                }}) %}
            {%- endfor %}
        {%- endif %}
        {%- do columns.update({name: column}) %}
    {%- endfor %}
    {%- if node.config.meta.has_study_facts %}
        {%- for fact in study().facts %}
            {%- do columns.update({fact.id: {
                'name': fact.id, 'data_type': fact.type, 'description': fact.description, 'constraints': [],
            }}) %}
        {%- endfor %}
    {%- endif %}
    {{ return(columns) }}
{% endmacro %}

{#- A relation in the columns and types of the model's contract: what Python returns has names and values, and whatever types
    its values happen to have. -#}
{% macro in_types_of_the_contract(relation) -%}
    select
        {%- for name, column in columns_of(model).items() %}
        cast({{ name }} as {{ type_of(column.data_type) }}) as {{ name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ relation }}
{%- endmacro %}
