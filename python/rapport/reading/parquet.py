"""What DuckDB sees in Parquet files before it reads a row: columns, types, sizes, and the range of each moment."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from rapport.reading.values import EARLIEST, LATEST, literal

MAGIC = b"PAR1"
ENCRYPTED = b"PARE"


@dataclass
class ParquetFile:
    """One file's footer, read by DuckDB."""

    rows: int
    unpacked_bytes: int = 0
    columns: list[tuple[str, str]] = field(default_factory=list)
    """Name and DuckDB's type of each column, in order, as the file names them: a name may stand twice."""
    out_of_range: set[str] = field(default_factory=set)
    """Columns of moments of which the statistics do not say that all lie in the years that are read."""


def footers(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str]
) -> tuple[dict[str, ParquetFile], dict[str, str]]:
    """The footer of each file by path, and of each file that has none that can be read, why."""
    if not paths:
        return {}, {}
    try:
        return _footers(connection, paths), {}
    except (duckdb.Error, UnicodeDecodeError):
        if len(paths) == 1:
            return {}, {paths[0]: "its Parquet footer is damaged, or of a kind that cannot be read"}
    middle = len(paths) // 2
    left, right = footers(connection, paths[:middle]), footers(connection, paths[middle:])
    return left[0] | right[0], left[1] | right[1]


def rows_can_be_read(connection: duckdb.DuckDBPyConnection, path: str) -> bool:
    """Whether every page of a Parquet file can be unpacked and every text is UTF-8: reads the whole file."""
    try:
        connection.execute(
            f"select bool_and(columns(*) is distinct from null) from read_parquet({listed([path])},"
            " hive_partitioning = false)"
        ).fetchall()
    except duckdb.Error:
        return False
    return True


def listed(paths: Sequence[str]) -> str:
    """Paths as a SQL list in which the characters of a glob pattern stand for themselves."""
    return "[" + ", ".join(literal(re.sub(r"([*?\[])", r"[\1]", path)) for path in paths) + "]"


def _footers(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> dict[str, ParquetFile]:
    files = listed(paths)
    found = {
        str(path): ParquetFile(int(rows))
        for path, rows in connection.execute(
            f"select file_name, num_rows from parquet_file_metadata({files})"
        ).fetchall()
    }
    schemas: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for path, name, type_, children in connection.execute(
        "select file_name, name, duckdb_type, coalesce(num_children, 0)"
        f" from parquet_schema({files}) order by file_name, column_id"
    ).fetchall():
        schemas[str(path)].append((str(name), str(type_), int(children)))
    for path, nodes in schemas.items():
        found[path].columns = list(_top_level(nodes))
    for path, column, bytes_, in_range in connection.execute(
        "select file_name, path_in_schema, sum(total_uncompressed_size),"
        " bool_and(coalesce(stats_null_count = row_group_num_rows or ("
        "   try_cast(left(stats_min_value, 19) as timestamp) >= timestamp '" + EARLIEST + "'"
        "   and try_cast(left(stats_max_value, 19) as timestamp) < timestamp '" + LATEST + "'), false))"
        f" from parquet_metadata({files}) group by all"
    ).fetchall():
        file = found[str(path)]
        file.unpacked_bytes += int(bytes_ or 0)
        if not in_range:
            file.out_of_range.add(str(column))
    return found


def _top_level(nodes: Sequence[tuple[str, str, int]]) -> list[tuple[str, str]]:
    """The children of the root: the schema is a tree, written depth first with each node's number of children."""
    columns = []
    position = 1
    for _ in range(nodes[0][2]):
        name, type_, _ = nodes[position]
        columns.append((name, type_))
        waiting = 1
        while waiting:
            waiting += nodes[position][2] - 1
            position += 1
    return columns
