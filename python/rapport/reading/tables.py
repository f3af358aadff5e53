"""The tables of the raw export as the project declares them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

ERASURES = "erasures"
"""The folder of the export that lists the participants to be erased."""

TYPES = ("varchar", "integer", "boolean", "timestamp")


@dataclass(frozen=True)
class DeclaredTable:
    """A table of the raw export as its source declares it."""

    name: str
    key: str
    columns: dict[str, str]
    """Declared type (varchar, integer, boolean or timestamp) by column name."""

    def is_key(self, column: str) -> bool:
        """Whether an empty text in this column is an absent key: it is the table's own key or names another row."""
        return column == self.key or column.endswith("_id")


ERASURE_LIST = DeclaredTable(ERASURES, "participant_id", {"participant_id": "varchar"})


def declared_tables(declared_columns: pd.DataFrame) -> list[DeclaredTable]:
    """The declared tables, from one row per column.

    ``declared_columns``: ``table_name``, ``position``, ``column_name``, ``data_type`` and ``is_key``.
    """
    tables = []
    for name, columns in declared_columns.sort_values("position").groupby("table_name", sort=False):
        keys = columns.loc[columns["is_key"].astype(bool), "column_name"]
        tables.append(
            DeclaredTable(
                name=str(name),
                key=str(keys.iloc[0]),
                columns=dict(zip(columns["column_name"], columns["data_type"], strict=True)),
            )
        )
    return tables
