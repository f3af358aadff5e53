"""How a value of a file becomes a value of its declared type, as SQL: exactly, or not at all.

That a value can be cast does not make it valid. Every expression here is null for a value that is not written as the
grammar says, and what is null although something was written is unreadable.

The grammar of text: a timestamp is ISO 8601, ``2021-10-12``, ``2021-10-12 23:59`` or ``2021-10-12T23:59:59.5+01:00``
(a ``T`` or a space, seconds and their fraction optional, the offset optional and from -12:00 to +14:00; without one it
is UTC, a bare date is its midnight); a boolean is ``true`` or ``false`` in any case; an integer is decimal digits with
an optional sign, of which a fraction of zeros (``3.0``, what data frames write beside missing values) is no part.
Spaces around these are no part of them. Fractions of a second beyond microseconds are cut off, never rounded.
Moments outside the years 1900 to 2100 are unreadable in any format.
"""

from __future__ import annotations

from collections.abc import Mapping as Words

EARLIEST, LATEST = "1900-01-01", "2101-01-01"
"""The first moment that is read, and the first that is not."""

EXACT_INTEGERS = {"TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER"}
WIDE_INTEGERS = {"UINTEGER", "BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"}
FLOATS = {"FLOAT", "DOUBLE"}
PLAIN_TIMESTAMPS = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"}
NANOSECONDS = {"TIMESTAMP_NS", "TIMESTAMPTZ_NS", "TIMESTAMP WITH TIME ZONE NS"}
ZONED = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"}
WITHOUT_VALUES = '"NULL"'
"""What DuckDB calls the type of a Parquet column that was written without a single value."""

SQL_TYPES = {"varchar": "varchar", "integer": "integer", "boolean": "boolean", "timestamp": "timestamp"}

_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?"
_MINUTES = r"(:?[0-5]\d)?"
_OFFSET = rf"(Z|\+(0\d|1[0-3]){_MINUTES}|\+14(:?00)?|-(0\d|1[01]){_MINUTES}|-12(:?00)?)"
UTC_MOMENT = rf"{_DATE}([T ]{_TIME})?"
MOMENT_WITH_OFFSET = rf"{_DATE}[T ]{_TIME}{_OFFSET}"
OFFSET_AT_END = r"(Z|[+-]\d\d(:?\d\d)?)$"
WHOLE_NUMBER = r"[+-]?\d+(\.0+)?"


def plain_text(text: str, declared: str, is_key: bool) -> str:
    """A text without what belongs to no value: spaces around all but text, and an empty key."""
    if declared == "varchar":
        return f"nullif({text}, '')" if is_key else text
    return f"nullif(trim({text}, ' ' || chr(9)), '')"


def of_text(text: str, declared: str, decimal: str = ".") -> str:
    """The declared type's value of a SQL expression of type varchar (:func:`plain_text`)."""
    if declared == "varchar":
        return text
    if declared == "boolean":
        return f"case lower({text}) when 'true' then true when 'false' then false end"
    if declared == "integer":
        # Written with a comma, a point is no decimal sign.
        number = text if decimal == "." else f"translate({text}, '.,', ',.')"
        return (
            f"case when regexp_full_match({number}, '{WHOLE_NUMBER}')"
            f" then try_cast(regexp_replace({number}, '\\.0+$', '') as integer) end"
        )
    offset = f"regexp_extract({text}, '{OFFSET_AT_END}')"
    minutes = (
        f"case when {offset} = 'Z' then 0 else (case when left({offset}, 1) = '-' then -1 else 1 end)"
        f" * (60 * cast(substr({offset}, 2, 2) as integer)"
        f" + case when length({offset}) > 3 then cast(right({offset}, 2) as integer) else 0 end) end"
    )
    return (
        f"case when regexp_full_match({text}, '{UTC_MOMENT}') then try_cast({text} as timestamp)"
        f" when regexp_full_match({text}, '{MOMENT_WITH_OFFSET}')"
        f" then try_cast(regexp_replace({text}, '{OFFSET_AT_END}', '') as timestamp)"
        f" - to_minutes(cast({minutes} as bigint)) end"
    )


def in_range(moment: str) -> str:
    """A moment, or null outside the years that are read."""
    return f"case when {moment} >= timestamp '{EARLIEST}' and {moment} < timestamp '{LATEST}' then {moment} end"


def of_parquet(column: str, type_: str, declared: str, is_key: bool) -> tuple[str, bool] | None:
    """The declared type's value of a Parquet column of a DuckDB type, and whether values of it may be unreadable.

    ``column``: quoted. Whether a moment is :func:`in_range` is not asked here. ``None``: the type is another one,
    whatever the values look like.
    """
    if type_ == WITHOUT_VALUES:
        return f"cast(null as {SQL_TYPES[declared]})", False
    if declared == "varchar":
        return (f"nullif({column}, '')" if is_key else column, False) if type_ == "VARCHAR" else None
    if declared == "boolean":
        return (column, False) if type_ == "BOOLEAN" else None
    if declared == "integer":
        if type_ in EXACT_INTEGERS:
            return (column if type_ == "INTEGER" else f"cast({column} as integer)"), False
        if type_ in WIDE_INTEGERS:
            return f"try_cast({column} as integer)", True
        if type_ in FLOATS:
            wide = f"cast({column} as double)"
            return f"case when try_cast({wide} as integer) = {wide} then try_cast({wide} as integer) end", True
        if type_.startswith("DECIMAL"):
            return of_text(f"cast({column} as varchar)", "integer"), True
        return None
    if type_ in PLAIN_TIMESTAMPS:
        return (column if type_ == "TIMESTAMP" else f"cast({column} as timestamp)"), False
    if type_ in ZONED:
        return f"({column} at time zone 'UTC')", False
    if type_ in NANOSECONDS:
        nanoseconds = f"epoch_ns({column})"
        # Cut off towards the past, before 1970 too; the engine's own cast rounds.
        down = f"{nanoseconds} // 1000 - case when {nanoseconds} % 1000 < 0 then 1 else 0 end"
        return f"make_timestamp({down})", True
    return None


def as_text(column: str, type_: str) -> str | None:
    """A Parquet column as the text by which a mapping names its values; ``None`` for a type that has no such text."""
    if type_ == "VARCHAR":
        return column
    if type_ in EXACT_INTEGERS | WIDE_INTEGERS or type_ == "BOOLEAN":
        return f"cast({column} as varchar)"
    if type_ in FLOATS or type_.startswith("DECIMAL"):
        return f"regexp_replace(cast({column} as varchar), '\\.0+$', '')"
    if type_ in PLAIN_TIMESTAMPS | ZONED | NANOSECONDS and (moment := of_parquet(column, type_, "timestamp", False)):
        return f"cast({moment[0]} as varchar)"
    return None


def with_words(text: str, words: Words[str, str | None]) -> str:
    """A text with each of the mapping's words in the place of the file's."""
    if not words:
        return text
    cases = " ".join(
        f"when {literal(theirs)} then {'null' if ours is None else literal(ours)}" for theirs, ours in words.items()
    )
    return f"case {text} {cases} else {text} end"


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'
