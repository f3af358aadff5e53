"""One rule, one verdict, one row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import pyarrow as pa

from rapport.messages import escape_controls as escape_controls

SEVERITIES = ("critical", "warning", "info")
MAX_SAMPLE_KEYS = 5
NO_KEY = "(no key)"


@dataclass(frozen=True)
class Verdict:
    """What one rule said of one table.

    Keys are pseudonyms and may be shown; the values behind a verdict are health answers and are not kept.
    """

    table_name: str
    rule: str
    severity: str
    passed: bool
    expectation: str
    evaluated: int | None = None
    unexpected: int | None = None
    sample_keys: str | None = None
    detail: str | None = None


def join_keys(keys: Iterable[object]) -> str | None:
    """The first few distinct keys as one text; ``None`` if there are none.

    Keys stay readable in any script, so that one can join on them; see :func:`escape_controls` for what does not.
    """
    distinct = dict.fromkeys(NO_KEY if key is None else str(key) for key in keys)
    shown = [escape_controls(key)[:80] for key in distinct][:MAX_SAMPLE_KEYS]
    return ", ".join(shown) or None


def broken_rule(table: str, rule: str, failing: int | None, keys: str | None, detail: str | None) -> str:
    """A broken rule in one line, as the gates tell it (macros/gate.sql)."""
    number = f" ({failing} failing)" if failing else ""
    examples = f", for example {keys}" if keys else ""
    why = f" - {detail}" if detail else ""
    return f"{table}: {rule}{number}{examples}{why}"


def verdict_table(verdicts: Sequence[Verdict], build_id: str, layer: str) -> pa.Table:
    """The verdicts of one layer as a table, in the columns of ``audit.validation_results``."""
    schema = pa.schema(
        [
            ("build_id", pa.string()),
            ("layer", pa.string()),
            ("table_name", pa.string()),
            ("rule", pa.string()),
            ("severity", pa.string()),
            ("passed", pa.bool_()),
            ("evaluated", pa.int64()),
            ("unexpected", pa.int64()),
            ("sample_keys", pa.string()),
            ("detail", pa.string()),
            ("expectation", pa.string()),
            ("validated_at", pa.timestamp("us")),
        ]
    )
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        {
            **{
                name: escape_controls(value) if isinstance(value, str) else value
                for name, value in asdict(verdict).items()
            },
            "build_id": build_id,
            "layer": layer,
            "validated_at": now,
        }
        for verdict in verdicts
    ]
    return pa.Table.from_pylist(rows, schema=schema)
