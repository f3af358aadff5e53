"""Parquet part files of the four raw tables, by the quarter in which a row was loaded."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .platform import EPOCH, Platform

Row = dict[str, Any]

_TIME = pa.timestamp("us")
SCHEMAS = {
    "participants": pa.schema(
        [
            ("participant_id", pa.string()),
            ("registered_at", _TIME),
            ("age_years", pa.int32()),
            ("sex", pa.string()),
            ("country_code", pa.string()),
            ("employer_sponsored", pa.bool_()),
            ("loaded_at", _TIME),
        ]
    ),
    "who5_assessments": pa.schema(
        [
            ("assessment_id", pa.string()),
            ("participant_id", pa.string()),
            ("completed_at", _TIME),
            *((f"item_{k}", pa.int32()) for k in range(1, 6)),
            ("loaded_at", _TIME),
        ]
    ),
    "sessions": pa.schema(
        [
            ("session_id", pa.string()),
            ("participant_id", pa.string()),
            ("provider_id", pa.string()),
            ("provider_type", pa.string()),
            ("started_at", _TIME),
            ("status", pa.string()),
            ("duration_minutes", pa.int32()),
            ("loaded_at", _TIME),
        ]
    ),
    "alliance_ratings": pa.schema(
        [
            ("rating_id", pa.string()),
            ("session_id", pa.string()),
            ("submitted_at", _TIME),
            ("bond_item", pa.int32()),
            ("goals_item", pa.int32()),
            ("loaded_at", _TIME),
        ]
    ),
}
# Minutes since the start of the window at which a new part file begins: 2021-01-01, -05-01, -09-01.
PART_STARTS = (94 * 1440, 214 * 1440, 337 * 1440)
_EPOCH_US = (EPOCH - datetime(1970, 1, 1)) // timedelta(microseconds=1)


# Columns whose times have seconds; sessions start and loads run on whole minutes.
TO_THE_SECOND = ("registered_at", "completed_at", "submitted_at")


def _microseconds(minute: int | None, second: int) -> int | None:
    return None if minute is None else _EPOCH_US + int(minute) * 60_000_000 + second * 1_000_000


def write(platform: Platform, out_dir: Path) -> dict[str, int]:
    """Write the export; returns the rows per table."""
    tables: dict[str, list[Row]] = {
        "participants": platform.participants,
        "who5_assessments": platform.assessments,
        "sessions": platform.sessions,
        "alliance_ratings": platform.ratings,
    }
    for name, rows in tables.items():
        schema = SCHEMAS[name]
        key = schema.names[0]
        folder = out_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        parts: list[list[Row]] = [[] for _ in range(len(PART_STARTS) + 1)]
        for row in sorted(rows, key=lambda r: (r["loaded_at"], r[key])):
            parts[sum(row["loaded_at"] >= start for start in PART_STARTS)].append(row)
        for number, part in enumerate(parts):
            columns = []
            for column in schema:
                if column.type == _TIME:
                    fine = column.name in TO_THE_SECOND
                    values = [_microseconds(row[column.name], row["second"] if fine else 0) for row in part]
                else:
                    values = [row[column.name] for row in part]
                columns.append(pa.array(values, type=column.type))
            pq.write_table(
                pa.Table.from_arrays(columns, schema=schema),
                folder / f"part-{number:04d}.parquet",
                compression="zstd",
                use_dictionary=[c for c in schema.names if c in DICTIONARY],
            )
    return {name: len(rows) for name, rows in tables.items()}


DICTIONARY = {
    "age_years",
    "sex",
    "country_code",
    "provider_id",
    "provider_type",
    "status",
    "duration_minutes",
    "bond_item",
    "goals_item",
    *(f"item_{k}" for k in range(1, 6)),
}
