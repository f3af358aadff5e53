-- The current rows of `sessions` on which a verdict may have changed: those of touched participants, and those of nobody.
{{ config(materialized='table') }}
{{ changed_rows('sessions') }}
