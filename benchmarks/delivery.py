"""What a night brings: a late part file in each table of an export."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb

NAME: Final = "part-late.parquet"
ONE_IN: Final = 1000
"""One row in so many is new with its participant, one new of a participant who is known, one corrected: 0.3%."""

KEYS: Final = {
    "participants": "participant_id",
    "who5_assessments": "assessment_id",
    "sessions": "session_id",
    "alliance_ratings": "rating_id",
}

# Which rows belong to a new participant, and their columns as those of another person.
_NEW: Final = {
    "participants": (
        "{new}",
        "'N' || participant_id as participant_id",
    ),
    "who5_assessments": (
        "{new}",
        "'N' || assessment_id as assessment_id, 'N' || participant_id as participant_id",
    ),
    "sessions": (
        "{new}",
        "'N' || session_id as session_id, 'N' || participant_id as participant_id",
    ),
    "alliance_ratings": (
        "session_id in (select session_id from sessions where {new})",
        "'N' || rating_id as rating_id, 'N' || session_id as session_id",
    ),
}

# Another event of somebody known.
_FURTHER: Final = {
    "who5_assessments": "'L' || assessment_id as assessment_id, completed_at + interval 3 days as completed_at",
    "sessions": "'L' || session_id as session_id, started_at + interval 2 days as started_at",
    "alliance_ratings": "'L' || rating_id as rating_id, 6 - goals_item as goals_item",
}

_CORRECTED: Final = {
    "participants": "case when age_years > 60 then age_years - 1 else age_years + 1 end as age_years",
    "who5_assessments": "5 - item_1 as item_1",
    "sessions": "case status when 'completed' then 'cancelled' else 'completed' end as status",
    "alliance_ratings": "6 - bond_item as bond_item",
}


def write_delivery(raw: Path, out: Path, one_in: int = ONE_IN) -> dict[str, int]:
    """Write the late part files of an export of Parquet files and return the rows of each table.

    In every table some rows are of new participants, some new rows of known ones (participants: further corrections),
    some corrections of rows that are there. Which rows is decided by a hash of their key.

    Args:
        raw: the export; it is not changed.
        out: the folder for ``<table>/part-late.parquet``; tables to which nothing happens get no file.
        one_in: see ``ONE_IN``.
    """
    rows: dict[str, int] = {}
    with duckdb.connect() as connection:
        for table in KEYS:
            connection.execute(f"create view {table} as from read_parquet('{_quoted(raw / table)}/*.parquet')")
        for table, key in KEYS.items():
            belongs, as_another = _NEW[table]
            chosen = f"hash({key}) % {one_in}"
            late = f"(select max(loaded_at) from {table}) + interval 1 day as loaded_at"
            corrected = "in (2, 3)" if table == "participants" else "= 3"
            parts = [
                f"select * replace ({as_another}, loaded_at + interval 1 day as loaded_at) from {table}"
                f" where {belongs.format(new=f'hash(participant_id) % {one_in} = 1')}",
                f"select * replace ({_CORRECTED[table]}, {late}) from {table} where {chosen} {corrected}"
                f" qualify row_number() over (partition by {key} order by {table}.loaded_at desc) = 1",
            ]
            if table in _FURTHER:
                parts.append(
                    f"select * replace ({_FURTHER[table]}, loaded_at + interval 1 day as loaded_at) from {table}"
                    f" where {chosen} = 2"
                )
            folder = out / table
            folder.mkdir(parents=True, exist_ok=True)
            query = " union all ".join(f"({part})" for part in parts)
            [(count,)] = connection.execute(f"copy ({query}) to '{_quoted(folder / NAME)}' (format parquet)").fetchall()
            rows[table] = int(count)
            if count == 0:
                (folder / NAME).unlink()
    return rows


def deliver(late: Path, raw: Path) -> None:
    """Put the late part files into the export."""
    for file in late.glob(f"*/{NAME}"):
        (raw / file.parent.name / NAME).hardlink_to(file)


def withdraw(raw: Path) -> None:
    """Take the late part files out again, if they are there."""
    for file in raw.glob(f"*/{NAME}"):
        file.unlink()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
