"""Types and values of Spark as those of DuckDB."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

PLAIN = {
    "string": ("VARCHAR", pa.string()),
    "boolean": ("BOOLEAN", pa.bool_()),
    "tinyint": ("TINYINT", pa.int8()),
    "smallint": ("SMALLINT", pa.int16()),
    "int": ("INTEGER", pa.int32()),
    "bigint": ("BIGINT", pa.int64()),
    "float": ("FLOAT", pa.float32()),
    "double": ("DOUBLE", pa.float64()),
    "date": ("DATE", pa.date32()),
    "timestamp": ("TIMESTAMP", pa.timestamp("us")),
    "timestamp_ntz": ("TIMESTAMP", pa.timestamp("us")),
    "binary": ("BLOB", pa.binary()),
    "void": ('"NULL"', pa.null()),
}
"""DuckDB's name and Arrow's type by Spark's name."""
OTHER_NAMES = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint", "null": "void", "": "string"}
SPARK = {duckdb: name for name, (duckdb, _) in PLAIN.items() if name != "timestamp"} | {
    "HUGEINT": "decimal(38,0)",
    "UTINYINT": "smallint",
    "USMALLINT": "int",
    "UINTEGER": "bigint",
    "UBIGINT": "decimal(20,0)",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}
DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)", re.IGNORECASE)
DATE = re.compile(r"\d{4}-\d\d-\d\d")


def spark_name(type_: str) -> str:
    """Spark's own name of a type that a client may call otherwise (``BIGINT_TYPE``, ``varchar(10)``)."""
    name = str(type_).strip().lower().removesuffix("_type")
    if name == "decimal":  # a client that does not say how long: a whole number here
        return "decimal(38,0)"
    if re.match(r"(var)?char\b", name):
        return "string"
    return OTHER_NAMES.get(name, name)


def duckdb_type(type_: str) -> str:
    """The name of DuckDB's type for a type of Spark's."""
    name = spark_name(type_)
    if decimal := DECIMAL.fullmatch(name):
        return f"DECIMAL({decimal[1]},{decimal[2]})" if int(decimal[2]) else "HUGEINT"
    if name.startswith("array<"):
        return f"{duckdb_type(name[6:-1])}[]"
    if name.startswith("map<"):
        key, value = name[4:-1].split(",", maxsplit=1)
        return f"MAP({duckdb_type(key)}, {duckdb_type(value)})"
    return PLAIN[name][0] if name in PLAIN else name.upper()


def spark_type(duckdb_name: str) -> str:
    """The name of Spark's type for a type of DuckDB's."""
    name = duckdb_name.upper()
    if name.endswith("[]"):
        return f"array<{spark_type(duckdb_name[:-2])}>"
    if name.startswith("DECIMAL("):
        return name.lower()
    if name.startswith("MAP("):
        key, value = duckdb_name[4:-1].split(",", maxsplit=1)
        return f"map<{spark_type(key.strip())},{spark_type(value.strip())}>"
    return SPARK.get(name, "string" if name in ('"NULL"', "NULL") else name.lower())


def arrow_type(type_: str) -> pa.DataType:
    """Arrow's type for a type of Spark's."""
    name = spark_name(type_)
    if decimal := DECIMAL.fullmatch(name):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if name.startswith("array<"):
        return pa.list_(arrow_type(name[6:-1]))
    if name.startswith("map<"):
        key, value = name[4:-1].split(",", maxsplit=1)
        return pa.map_(arrow_type(key), arrow_type(value))
    return PLAIN[name][1] if name in PLAIN else pa.string()


def python_value(value: Any, type_: str, *, is_local: bool = False) -> Any:
    """A value as DuckDB's Python client would give it.

    ``is_local``: moments of type ``timestamp`` come in this machine's time zone, as a session of pyspark gives them.
    """
    if value is None:
        return None
    name = spark_name(type_)
    if decimal := DECIMAL.fullmatch(name):
        return Decimal(value) if int(decimal[2]) else int(value)
    if name == "date":
        return date.fromisoformat(value) if isinstance(value, str) else value
    if name in ("timestamp", "timestamp_ntz"):
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if moment.tzinfo is not None or (name == "timestamp" and is_local and not isinstance(value, str)):
            moment = moment.astimezone(UTC)
        return moment.replace(tzinfo=None)
    if name.startswith("array<"):
        items = json.loads(value) if isinstance(value, str) else value
        return [python_value(item, name[6:-1], is_local=is_local) for item in items]
    if name.startswith("map"):
        return dict(json.loads(value) if isinstance(value, str) else value)
    if name == "array":
        return json.loads(value) if isinstance(value, str) else list(value)
    if name in ("double", "float"):
        return float(value)
    return value


def arrow_table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows of :func:`python_value` as a table. ``columns``: names and Spark's types."""
    arrays = []
    for number, (_, type_) in enumerate(columns):
        arrow = arrow_type(type_)
        values = [row[number] for row in rows]
        if pa.types.is_decimal(arrow):
            values = [None if value is None else Decimal(value) for value in values]
        if pa.types.is_map(arrow):
            values = [None if value is None else list(value.items()) for value in values]
        arrays.append(pa.array(values, arrow))
    return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])


def spark_literal(value: Any, type_: str) -> str:
    """A value of Python's as SQL of Spark, of that type to the last bit."""
    if value is None:
        return f"cast(null as {type_})"
    if isinstance(value, bool):
        return str(value).lower()
    if type_ == "string":
        return text_literal(str(value))
    if type_ in ("double", "float"):
        return f"cast('{float(value)!r}' as {type_})"
    if type_.startswith("array<"):
        return f"cast(array({', '.join(spark_literal(item, type_[6:-1]) for item in value)}) as {type_})"
    if type_.startswith("map<"):
        key, item = type_[4:-1].split(",", maxsplit=1)
        pairs = value.items() if hasattr(value, "items") else value
        inner = ", ".join(f"{spark_literal(k, key)}, {spark_literal(v, item)}" for k, v in pairs)
        return f"cast(map({inner}) as {type_})"
    if isinstance(value, datetime):
        value = (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat(sep=" ")
    return f"cast('{value}' as {type_})"


def text_literal(text: str) -> str:
    """A text as SQL of Spark: ``${`` would begin a variable."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\u0024{") + "'"


def quoted(name: str) -> str:
    """A name as SQL of Spark, each part in backticks if it has several."""
    return ".".join(quoted_name(part) for part in name.split("."))


def quoted_name(name: str) -> str:
    """One name as SQL of Spark, points and all."""
    return "`" + name.replace("`", "``") + "`"
