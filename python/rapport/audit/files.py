"""The part files' own schema, checked before anything reads them.

DuckDB's readers accept in silence what would change results: text in an integer column, CSV columns in
another order, a column renamed in one of several files. So every file is asked for its columns first, and
values that would not survive the cast to the declared type are counted.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from rapport.audit.part_files import ERASURES, part_paths
from rapport.audit.verdict import MAX_SAMPLE_KEYS, Verdict, join_keys, verdict_table

EXACT_INTEGERS = {"TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER"}
WIDE_INTEGERS = {"UINTEGER", "BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE"}
TIMESTAMPS = {
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE",
}
ALL_NULL = '"NULL"'  # what a Parquet column without a single value is typed as
HOLDS_EXACTLY = {
    "varchar": {"VARCHAR"},
    "integer": EXACT_INTEGERS,
    "boolean": {"BOOLEAN"},
    "timestamp": TIMESTAMPS,
}
EXPECTATION = "file_schema"


@dataclass(frozen=True)
class DeclaredTable:
    """A table of the raw export as its source declares it."""

    name: str
    key: str
    columns: dict[str, str]
    """Declared type (varchar, integer, boolean or timestamp) by column name."""


def check_files(
    connection: duckdb.DuckDBPyConnection,
    build: pd.DataFrame,
    declared_columns: pd.DataFrame,
    part_files: pd.DataFrame,
    reading_plan: pd.DataFrame,
) -> pa.Table:
    """Verdicts on the part files of every declared table.

    ``build``: one row with ``build_id``, ``raw_folder`` and ``raw_format``. ``declared_columns``: one row per declared
    column with ``table_name``, ``position``, ``column_name``, ``data_type`` and ``is_key``. ``part_files`` and
    ``reading_plan``: one row a file; only new and rewritten files are looked into. Returns the columns of
    ``audit.validation_results``; what is wrong with the files is a verdict, never an exception.
    """
    current = build.iloc[0]
    folder, file_format = Path(str(current["raw_folder"])), str(current["raw_format"])
    verdicts: list[Verdict] = []
    if file_format not in ("parquet", "csv"):
        verdicts.append(
            _verdict(
                "raw export",
                "format is parquet or csv",
                False,
                detail=f"RAPPORT_RAW_FORMAT is {file_format!r}",
            )
        )
    else:
        faults = part_files[part_files["fault"].notna()]
        to_read = reading_plan[reading_plan["standing"].isin(["new", "rewritten"])]
        for table in declared_tables(declared_columns):
            unreadable = faults[faults["table_name"] == table.name]
            paths = [Path(path) for path in to_read.loc[to_read["table_name"] == table.name, "path"]]
            verdicts.extend(
                check_table(
                    connection,
                    table,
                    folder / table.name,
                    file_format,
                    [path for path in paths if path.name not in set(unreadable["file_name"])],
                    dict(zip(unreadable["file_name"], unreadable["fault"], strict=True)),
                )
            )
        verdicts.extend(check_erasures(connection, folder / ERASURES, file_format))
    return verdict_table(verdicts, str(current["build_id"]), "files")


def declared_tables(declared_columns: pd.DataFrame) -> list[DeclaredTable]:
    """The declared tables, from one row per column."""
    tables = []
    for name, columns in declared_columns.sort_values("position").groupby("table_name", sort=False):
        keys = columns.loc[columns["is_key"], "column_name"]
        tables.append(
            DeclaredTable(
                name=str(name),
                key=str(keys.iloc[0]),
                columns=dict(zip(columns["column_name"], columns["data_type"], strict=True)),
            )
        )
    return tables


def check_table(
    connection: duckdb.DuckDBPyConnection,
    table: DeclaredTable,
    folder: Path,
    file_format: str,
    to_read: Sequence[Path],
    unreadable: dict[str, str],
) -> Iterator[Verdict]:
    """Verdicts on one table's part files; stops at the first kind of fault that hides the next.

    ``to_read``: the files that this build reads. ``unreadable``: what is wrong, by the name of the file, with those
    that could not even be hashed.
    """
    name = table.name
    yield _verdict(name, "folder exists", folder.is_dir(), detail=f"no folder {folder}")
    if not folder.is_dir():
        return
    files = part_paths(folder, file_format)
    others = _other_files(folder, files)
    yield _verdict(
        name,
        "holds part files",
        bool(files),
        evaluated=len(files),
        detail=f"no *.{file_format} file in {folder}"
        + (f", but {others[0].name} (RAPPORT_RAW_FORMAT is {file_format})" if others else ""),
    )
    yield _verdict(
        name,
        "holds nothing but part files",
        not others,
        severity="warning",
        evaluated=len(files) + len(others),
        unexpected=len(others),
        sample_keys=join_keys(path.name for path in others),
        detail=f"not *.{file_format}, so not read",
    )
    if not files:
        return

    types: dict[Path, dict[str, str]] = {}
    unreadable = dict(unreadable)
    for path in to_read:
        try:
            types[path] = _columns_of(connection, path, file_format)
        except (duckdb.Error, OSError, ValueError) as error:
            unreadable[path.name] = _first_sentence(error)
    yield _verdict(
        name,
        "part files are readable",
        not unreadable,
        evaluated=len(types) + len(unreadable),
        unexpected=len(unreadable),
        sample_keys=join_keys(unreadable),
        detail="; ".join(dict.fromkeys(unreadable.values())),
    )
    missing = {column: [path.name for path, held in types.items() if column not in held] for column in table.columns}
    for column, lacking in missing.items():
        yield _verdict(
            name,
            f"column {column} is in every part file",
            not lacking,
            evaluated=len(types),
            unexpected=len(lacking),
            sample_keys=join_keys(lacking),
            detail="it holds " + ", ".join(next((held for held in types.values() if column not in held), {})),
        )
    if unreadable or any(missing.values()) or not types:
        return
    for column in table.columns:
        yield _check_type(connection, table, column, file_format, {p: held[column] for p, held in types.items()})


def check_erasures(connection: duckdb.DuckDBPyConnection, folder: Path, file_format: str) -> Iterator[Verdict]:
    """Verdicts on the list of participants to be erased, which need not be there.

    Whoever is on the list must not be overlooked, so here every file that would not be read is critical.
    """
    if not folder.exists():
        return
    files = part_paths(folder, file_format) if folder.is_dir() else []
    others = _other_files(folder, files) if folder.is_dir() else [folder]
    yield _verdict(
        ERASURES,
        "holds nothing but part files",
        not others,
        evaluated=len(files) + len(others),
        unexpected=len(others),
        sample_keys=join_keys(path.name for path in others),
        detail=f"not *.{file_format}, so these erasures would be overlooked",
    )
    faults: dict[str, str] = {}
    for path in files:
        try:
            if "participant_id" not in _columns_of(connection, path, file_format):
                faults[path.name] = "no column participant_id"
        except (duckdb.Error, OSError, ValueError) as error:
            faults[path.name] = _first_sentence(error)
    yield _verdict(
        ERASURES,
        "part files are readable and hold participant_id",
        not faults,
        evaluated=len(files),
        unexpected=len(faults),
        sample_keys=join_keys(faults),
        detail="; ".join(dict.fromkeys(faults.values())),
    )


def _other_files(folder: Path, files: Sequence[Path]) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path not in files and not path.name.startswith((".", "_", "README"))
    )


def _check_type(
    connection: duckdb.DuckDBPyConnection,
    table: DeclaredTable,
    column: str,
    file_format: str,
    held: dict[Path, str],
) -> Verdict:
    """Whether every value of a column can be read as its declared type without loss.

    Parquet has types, so a file that holds another one is at fault with all its rows, even if the text looks like
    numbers; integers kept as wider integers or whole floating-point numbers (the habit of data frames with missing
    values) are read. CSV has only text, so each value is tried.
    """
    declared = table.columns[column]
    rule = f"{column} is {declared}"
    inexact = {path: type_ for path, type_ in held.items() if type_ not in HOLDS_EXACTLY[declared] | {ALL_NULL}}
    if not inexact:
        return _verdict(table.name, rule, True, evaluated=len(held))
    foreign = {
        path: type_
        for path, type_ in inexact.items()
        if file_format == "parquet" and not (declared == "integer" and _may_hold_integers(type_))
    }
    everything = _reader(held, file_format)
    if foreign:
        faulty = f"from {_reader(foreign, file_format)}"
        detail = ", ".join(f"{path.name} holds {type_}" for path, type_ in list(foreign.items())[:3])
    else:
        faulty = f'from {everything} where "{column}" is not null and {_is_lost(column, declared)}'
        detail = f"values that are no {declared}"
    try:
        evaluated = _count(connection, f"select count(*) from {everything}")
        unexpected = _count(connection, f"select count(*) {faulty}")
        keys = connection.execute(f'select "{table.key}" {faulty} limit {MAX_SAMPLE_KEYS}').fetchall()
    except duckdb.Error as error:
        return _verdict(table.name, rule, False, detail=_first_sentence(error))
    return _verdict(
        table.name,
        rule,
        not unexpected,
        evaluated=evaluated,
        unexpected=unexpected,
        sample_keys=join_keys(row[0] for row in keys),
        detail=detail,
    )


def _may_hold_integers(type_: str) -> bool:
    return type_ in WIDE_INTEGERS or type_.startswith("DECIMAL")


def _is_lost(column: str, declared: str) -> str:
    """SQL that is true of a value which the cast to the declared type would drop or change."""
    if declared == "integer":
        # DuckDB rounds on the way to an integer: 3.5 becomes 4.
        return (
            f'(try_cast("{column}" as integer) is null'
            f' or try_cast("{column}" as double) is distinct from cast(try_cast("{column}" as integer) as double))'
        )
    target = "timestamptz" if declared == "timestamp" else declared
    return f'try_cast("{column}" as {target}) is null'


def _reader(paths: Iterable[Path], file_format: str) -> str:
    """The expression that reads part files together."""
    listed = ", ".join(_literal(path) for path in paths)
    if file_format == "parquet":
        return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    return (
        f"read_csv([{listed}], header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"',"
        " union_by_name = true)"
    )


def _columns_of(connection: duckdb.DuckDBPyConnection, path: Path, file_format: str) -> dict[str, str]:
    """Type by column name of one part file.

    Raises ``duckdb.Error``, ``OSError`` or ``ValueError`` for a file that cannot be read. Of a CSV file every row is
    read, by the columns of its own header: DuckDB's guess at a dialect would skip a row that does not fit.
    """
    if file_format == "parquet":
        described = connection.execute(
            f"describe select * from read_parquet({_literal(path)}, hive_partitioning = false)"
        ).fetchall()
        return {str(name): str(type_) for name, type_, *_ in described}
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), None)
    if not header:
        raise ValueError("no header row")
    columns = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in header)
    connection.execute(
        f"select count(columns(*)) from read_csv({_literal(path)}, header = true, auto_detect = false, delim = ',',"
        f" quote = '\"', escape = '\"', columns = {{{columns}}})"
    ).fetchall()
    return dict.fromkeys(header, "VARCHAR")


def _literal(path: Path) -> str:
    """A path as a SQL string in which the characters of a glob pattern stand for themselves."""
    return _quoted(re.sub(r"([*?\[])", r"[\1]", str(path)))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def _first_sentence(error: Exception) -> str:
    """What DuckDB says without what it quotes: a quoted line of CSV holds health answers."""
    return str(error).split("\n", maxsplit=1)[0].removesuffix(".")


def _verdict(
    table_name: str,
    rule: str,
    passed: bool,
    *,
    severity: str = "critical",
    evaluated: int | None = None,
    unexpected: int | None = None,
    sample_keys: str | None = None,
    detail: str | None = None,
) -> Verdict:
    return Verdict(
        table_name=table_name,
        rule=rule,
        severity=severity,
        passed=passed,
        expectation=EXPECTATION,
        evaluated=evaluated,
        unexpected=unexpected if unexpected is not None else int(not passed),
        sample_keys=None if passed else sample_keys,
        detail=None if passed else detail,
    )
