-- The current rows of `who5_assessments` on which a verdict may have changed: those of touched participants, and those of nobody.
{{ config(materialized='table') }}
{{ changed_rows('who5_assessments') }}
