"""Reads a raw export: every file found once, looked into once, and offered as one typed view a table.

What is wrong with the files is a verdict that names table, file and column, never an exception and never an engine's
message. No verdict holds the content of a cell but keys.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from rapport.audit.verdict import MAX_SAMPLE_KEYS, Verdict, join_keys
from rapport.engines import is_spark
from rapport.reading.csv_text import CsvFault, MissingColumns, RepeatedColumns, read_text
from rapport.reading.discovery import FoundFile, FoundFolder, find_files, is_under, resembles, stray_names
from rapport.reading.files import PartFile, as_table, describe_all, open_regular, reason
from rapport.reading.mapping import FILE_NAME as MAPPING
from rapport.reading.mapping import Mapping, MappingError, TableMapping, read_mapping
from rapport.reading.parquet import ParquetFile, footers, listed, rows_can_be_read
from rapport.reading.tables import ERASURE_LIST, ERASURES, DeclaredTable
from rapport.reading.values import (
    EXACT_INTEGERS,
    SQL_TYPES,
    WIDE_INTEGERS,
    WITHOUT_VALUES,
    as_text,
    in_range,
    literal,
    of_parquet,
    of_text,
    plain_text,
    quoted,
    with_words,
)

FORMATS = ("parquet", "csv")
MAX_UNPACKED_BYTES = 1 << 35
"""How much a packed file (Parquet, gzip, zstd) may unpack to: 32 GiB."""

SCHEMA = "raw"
FILES = "file_schema"
"""Expectation of the verdicts that are about files."""
VALUES = "value_grammar"
"""Expectation of the verdicts that are about rows, each of which the view names in ``unreadable``."""

EXPORT = "raw export"
IDS = f"select participant_id from {SCHEMA}.{ERASURES}"
LISTED_AND_FOUND = "ids listed and found"
"""Rule of the verdict that says what an erasure did."""
BATCH_ROWS = 100_000
DAMAGED = "its rows are damaged: a page cannot be unpacked, or a text is not UTF-8"
PLACES = {"part_file": "varchar", "row_number": "bigint", "line_number": "bigint", "unreadable": "varchar"}
NOT_READABLE = {
    "integer": "no whole number in decimal digits, or beyond 32 bits",
    "boolean": "neither true nor false",
    "timestamp": "no moment of ISO 8601 (2021-10-12T23:59:59+00:00), or none of the years 1900 to 2100",
}
ODD_PATH = re.compile(r"[\\\x00-\x1f\x7f]")
"""Characters of a path that DuckDB takes for something else."""
OWN_NAMES = ("filename", "file_row_number")
"""DuckDB's own columns of a Parquet file, which a column of the same name would hide."""


@dataclass
class Reading:
    """An export that has been read."""

    part_files: pa.Table
    """One row a part file of the tables, in the columns of :data:`rapport.reading.files.SCHEMA`."""
    verdicts: list[Verdict]
    mapping_sha256: str | None = None
    erasure_files: pa.Table | None = None
    """The same of the erasures' list. Not to be stored: the hash of a short list can be guessed."""
    listed_erasures: int = 0
    """How many people the list names."""
    readers: list[TableReader] = field(default_factory=list)
    """How each table was read: for another engine, which reads the files itself."""


def read_export(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    file_format: str,
    tables: Sequence[DeclaredTable],
    workspace: Path,
    *,
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    build_id: str = "",
) -> Reading:
    """Read an export and create a view ``raw.<table>`` for each declared table, and ``raw.erasures``.

    A view has the declared columns as their declared types, and ``part_file`` (varchar: name under the table's
    folder), ``row_number`` (bigint: from 0, which with ``part_file`` tells a row from every other), ``line_number``
    (bigint: where the row begins in its CSV file, null for Parquet) and ``unreadable`` (varchar: comma-joined columns
    whose value is not of the declared type and therefore null). The view of a table whose files cannot all be read has
    no rows.
    ``raw.erasures`` has ``participant_id`` (trimmed), ``part_file``, ``row_number`` and
    ``line_number``.

    ``workspace``: a folder of this build alone, made if need be, owner-only; what CSV is converted to lies there for as
    long as the views are read.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    workspace.chmod(0o700)
    root = folder.absolute()
    verdicts: list[Verdict] = []
    mapping = Mapping()
    by_name = {table.name: table for table in tables}
    can_read = True
    if file_format not in FORMATS:
        verdicts.append(_failed(EXPORT, "format is parquet or csv", f"RAPPORT_RAW_FORMAT is {file_format!r}"))
        can_read = False
    elif root.is_dir():
        try:
            mapping = _mapping_of(root, [*tables, ERASURE_LIST])
        except MappingError as error:
            verdicts.append(_failed(EXPORT, f"{MAPPING} can be used", str(error)))
            can_read = False
        verdicts.extend(_beside(root, list(by_name)))
    readers = [
        TableReader(connection, root, file_format, table, mapping.of(table.name), workspace, max_unpacked_bytes)
        for table in tables
    ]
    erasures = TableReader(
        connection, root, file_format, ERASURE_LIST, mapping.of(ERASURES), workspace, max_unpacked_bytes
    )
    return offer(connection, readers, erasures, verdicts, can_read=can_read, sha256=mapping.sha256, build_id=build_id)


def offer(
    connection: duckdb.DuckDBPyConnection,
    readers: list[TableReader],
    erasures: TableReader,
    verdicts: list[Verdict],
    *,
    can_read: bool = True,
    sha256: str | None = None,
    build_id: str = "",
) -> Reading:
    """Let each table be read and create its view; ``verdicts`` come before theirs."""
    connection.execute(f"create schema if not exists {SCHEMA}")
    if can_read:
        for reader in (*readers, erasures):
            reader.read()
    create_view(connection, ERASURES, erasures.erasures_sql())
    for reader in readers:
        create_view(connection, reader.table.name, reader.view_sql())
    listed_erasures = 0
    if can_read:
        erased = Erased(connection, {reader.table.name: reader for reader in readers}, erasures)
        listed_erasures = erased.ids
        for reader in readers:
            of_values = list(reader.value_verdicts(erased))
            if reader.is_damaged:
                create_view(connection, reader.table.name, reader.view_sql())
            verdicts.extend([*reader.verdicts, *of_values])
        verdicts.extend(erasures.verdicts)
        verdicts.extend(erased.verdicts())
    parts = [part for reader in readers for part in reader.parts]
    return Reading(
        as_table(parts, build_id),
        verdicts,
        sha256,
        as_table(erasures.parts, build_id),
        listed_erasures,
        [*readers, erasures],
    )


def damaged_files(connection: duckdb.DuckDBPyConnection, part_files: pa.Table) -> Iterator[tuple[str, str]]:
    """Table and name of every file whose rows cannot be read, though its footer could.

    Reads all files whole, so it is asked only when a reader of the views has failed. ``part_files``: of a reading.
    """
    for row in part_files.to_pylist():
        if row["read_path"] is not None and not rows_can_be_read(connection, row["read_path"]):
            yield row["table_name"], row["file_name"]


def check_export(folder: Path, file_format: str, tables: Sequence[DeclaredTable]) -> list[Verdict]:
    """The verdicts of :func:`read_export`, without a warehouse."""
    with tempfile.TemporaryDirectory(prefix="rapport-check-") as scratch, duckdb.connect() as connection:
        return read_export(connection, folder, file_format, tables, Path(scratch)).verdicts


@dataclass
class Column:
    """How a declared column of a group of files is read."""

    text: str | None = None
    """SQL of the text that the grammar is asked of."""
    value: str | None = None
    """SQL of the value, where there is no text."""
    present: str | None = None
    """SQL that is true where something was written, if that may be unreadable."""
    checks_range: bool = False


@dataclass
class Group:
    """Files that are read by one call, because their columns have the same types."""

    columns: dict[str, Column]
    files: list[str] = field(default_factory=list)


@dataclass
class TableReader:
    """Reads the files of one table; what is wrong is kept in ``verdicts``."""

    connection: duckdb.DuckDBPyConnection
    root: Path
    file_format: str
    table: DeclaredTable
    mapping: TableMapping
    workspace: Path
    max_unpacked_bytes: int
    verdicts: list[Verdict] = field(default_factory=list)
    parts: list[PartFile] = field(default_factory=list)
    selects: list[str] = field(default_factory=list)
    """SQL of the rows of each group of files, in the columns of the view."""
    is_checked: bool = False
    """Whether a row may be unreadable at all."""
    foreign: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """By column and path: the type that is not the declared one, of files that hold a value there."""
    is_whole: bool = False
    """Whether every file can be read and has every column."""
    is_damaged: bool = False
    """Whether a file turned out to be unreadable when its rows were looked at."""
    groups: list[Group] = field(default_factory=list)
    """The Parquet files of the export, sorted by what their columns hold."""
    converted: str | None = None
    """The Parquet file that all CSV files were converted to, in the columns of the view."""

    @property
    def folder(self) -> Path:
        """Where the files of the table lie."""
        return self.root / self.table.name

    @property
    def is_given(self) -> bool:
        """Whether there is anything to read the table from."""
        return self.folder.is_dir()

    @property
    def is_erasures(self) -> bool:
        """Whether the table is the list of who is to be erased."""
        return self.table.name == ERASURES

    def read(self) -> None:
        """Find the files, look into them, convert what is not Parquet."""
        found = self._find()
        if found is None or not found.files:
            return
        self.parts = describe_all(self.table.name, found.files)
        by_path = dict(zip((str(file.path) for file in found.files), found.files, strict=True))
        readable = [part for part in self.parts if part.fault is None]
        missing: dict[str, list[str]] = {column: [] for column in self.table.columns}
        repeated: dict[str, list[str]] = {column: [] for column in self.table.columns}
        details: dict[str, str] = {}
        held = self._look_into_parquet([part for part in readable if by_path[part.path].format == "parquet"])
        for part in readable:
            if part.path in held:
                self._compare_columns(part, held[part.path], missing, repeated, details)
        csv_parts = [part for part in readable if by_path[part.path].format == "csv"]
        if csv_parts:
            self._convert(csv_parts, by_path, missing, repeated, details)
        self._judge_files(missing, repeated, details)
        if self.is_whole:
            try:
                self._group([part for part in readable if part.path in held], held)
            except duckdb.Error:
                self.find_damage(readable)
        if self.is_erasures and any(self.foreign.values()):
            self.is_whole = False
            names = {part.path: part.file_name for part in self.parts}
            files = [names[path] for path in self.foreign["participant_id"]]
            self.add(
                "participant_id is varchar",
                False,
                evaluated=len(self.parts),
                unexpected=len(files),
                sample_keys=join_keys(files),
                detail="ids are texts or whole numbers",
            )

    def _find(self) -> FoundFolder | None:
        """The files of the folder; ``None`` if there is no folder to look into."""
        folder = self.folder
        if self.is_erasures and not (folder.exists() or folder.is_symlink()):
            return None
        is_there = folder.is_dir()
        leaves = is_there and not is_under(folder, Path(os.path.realpath(self.root)))
        why = "it is a symbolic link that leaves the export" if leaves else f"no folder {folder}"
        if not self.is_erasures:
            self.add("folder exists", is_there and not leaves, detail=why)
        elif leaves or not is_there:
            self.add("holds nothing but part files", False, unexpected=1, sample_keys=ERASURES, detail=why)
        if leaves or not is_there:
            return None
        formats = (self.file_format, *FORMATS) if self.is_erasures else (self.file_format,)
        found = find_files(self.root, folder, formats, is_list=self.is_erasures)
        others, count = found.others, len(found.files)
        reasons = "; ".join(list(dict.fromkeys(why for _, why in others))[:3])
        if not self.is_erasures:
            self.add(
                "holds part files",
                count > 0,
                evaluated=count,
                detail=f"no {self.file_format} file in {folder}"
                + (f", but {others[0][0]}: {others[0][1]}" if others else ""),
            )
        if count or self.is_erasures:
            self.add(
                "holds nothing but part files",
                not others,
                evaluated=count + len(others),
                unexpected=len(others),
                sample_keys=join_keys(label for label, _ in others),
                detail=reasons,
            )
        return found

    def _look_into_parquet(self, parts: list[PartFile]) -> dict[str, ParquetFile]:
        """The footer of each readable file by its path; sets ``read_path``, ``rows`` and ``fault`` of the parts."""
        links = self.workspace / "links" / self.table.name
        for number, part in enumerate(parts):
            part.read_path = part.path
            if ODD_PATH.search(part.path) or not part.path.endswith("/" + part.file_name):
                links.mkdir(parents=True, exist_ok=True)
                link = links / f"{number}.parquet"
                link.unlink(missing_ok=True)
                link.symlink_to(part.path)
                part.read_path = str(link)
        found, faults = footers(self.connection, [str(part.read_path) for part in parts])
        held = {}
        for part in parts:
            read_path = str(part.read_path)
            part.fault = faults.get(read_path)
            if part.fault is None:
                file = found[read_path]
                if max(file.unpacked_bytes, file.rows) > self.max_unpacked_bytes:
                    part.fault = f"it unpacks to more than max_unpacked_bytes ({self.max_unpacked_bytes})"
                    continue
                part.rows = file.rows
                held[part.path] = file
        return held

    def _compare_columns(
        self,
        part: PartFile,
        file: ParquetFile,
        missing: dict[str, list[str]],
        repeated: dict[str, list[str]],
        details: dict[str, str],
    ) -> None:
        names = [name for name, _ in file.columns]
        folded = [name.casefold() for name in names]
        is_first = True
        for column in self.table.columns:
            physical = self.mapping.physical(column)
            if physical not in names:
                missing[column].append(part.file_name)
                if column not in details:
                    details[column] = self._not_held(column, part.file_name, names, is_first)
                    is_first = False
            elif folded.count(physical.casefold()) > 1 or _is_made_by_renaming(physical, folded):
                repeated[column].append(part.file_name)

    def _not_held(self, column: str, file: str, names: Sequence[str], is_first: bool) -> str:
        """What the contract asks for and a file does not hold; of the first such column also what the file does hold.

        A column that it may be under another name is told: its name is like a declared one, or a word of it, so it is
        no answer.
        """
        asked = f"{column} ({self.table.columns[column]})"
        said = f"{file} holds {self.known_columns(names)}, but not {asked}" if is_first else f"{file} lacks {asked}"
        declared = [self.mapping.physical(other) for other in self.table.columns]
        physical = self.mapping.physical(column)
        if physical != column:
            return f"{said}: {MAPPING} looks for {join_columns([physical])}"
        like = [name for name in names if name not in declared and _is_like(name, column)]
        if like:
            return f"{said}: if {join_columns(like[:1])} is it, {MAPPING} says so (docs/mapping.md)"
        return f"{said}: if it has another name there, {MAPPING} says which (docs/mapping.md)" if is_first else said

    def known_columns(self, names: Sequence[str]) -> str:
        """Which columns of a file bear a declared name, or one like it.

        The others are counted: where a tool took the first row for the header, names are answers.
        """
        declared = [self.mapping.physical(column) for column in self.table.columns]
        known = [name for name in names if name in declared or resembles(name, declared)]
        others = len(set(names) - set(known))
        shown = join_columns(known) if known else ""
        more = f"{others} column{'s' if others != 1 else ''} of other names" if others else ""
        return " and ".join(filter(None, (shown, more))) or "no column"

    def _convert(
        self,
        parts: list[PartFile],
        by_path: dict[str, FoundFile],
        missing: dict[str, list[str]],
        repeated: dict[str, list[str]],
        details: dict[str, str],
    ) -> None:
        """Write the rows of CSV files to one typed Parquet file in the workspace."""
        path = self.workspace / f"{self.table.name}.parquet"
        columns = {column: self.mapping.physical(column) for column in self.table.columns}
        schema = pa.schema(
            [(f"c{number}", pa.string()) for number in range(len(columns))]
            + [("part_file", pa.string()), ("row_number", pa.int64()), ("line_number", pa.int64())]
        )

        def rows_of(part: PartFile) -> Iterator[pa.Table]:
            found, count = by_path[part.path], 0
            try:
                with open_regular(found.path) as file:
                    texts = read_text(
                        file,
                        found.packing,
                        columns,
                        self.mapping.delimiter,
                        self.max_unpacked_bytes,
                        is_list=self.is_erasures,
                    )
                    for rows in texts:
                        numbers = range(count, count + len(rows))
                        yield pa.table(
                            [
                                *(rows.columns[column] for column in columns),
                                pa.repeat(part.file_name, len(rows)),
                                pa.array(numbers, pa.int64()),
                                pa.array(rows.lines, pa.int64()),
                            ],
                            schema=schema,
                        )
                        count += len(rows)
                part.rows = count
            except MissingColumns as error:
                for column in error.columns:
                    missing[column].append(part.file_name)
                    details.setdefault(column, f"{part.file_name}: {error}")
            except RepeatedColumns as error:
                for column in error.columns:
                    repeated[column].append(part.file_name)
            except (CsvFault, OSError) as error:
                part.fault = reason(error)

        def batches() -> Iterator[pa.RecordBatch]:
            waiting: list[pa.Table] = []
            for part in parts:
                for rows in rows_of(part):
                    waiting.append(rows)
                    if sum(map(len, waiting)) >= BATCH_ROWS:
                        yield from pa.concat_tables(waiting).combine_chunks().to_batches()
                        waiting = []
            if waiting:
                yield from pa.concat_tables(waiting).combine_chunks().to_batches()

        group = Group(
            {
                column: Column(text=self._with_words(column, f"c{number}"), checks_range=declared == "timestamp")
                for number, (column, declared) in enumerate(self.table.columns.items())
            }
        )
        name = f"rapport_text_of_{self.table.name}"
        self.connection.register(name, pa.RecordBatchReader.from_batches(schema, batches()))
        try:
            select = self.select(group, name, ("part_file", "row_number", "line_number"))
            self.connection.execute(f"copy ({select}) to {literal(str(path))} (format parquet)")
        finally:
            self.connection.unregister(name)
        for part in parts:
            part.read_path = str(path)
        self.converted = str(path)
        self.is_checked = self.is_checked or any(declared != "varchar" for declared in self.table.columns.values())
        listed_columns = ", ".join(map(quoted, [*self.table.columns, *PLACES]))
        self.selects.append(f"select {listed_columns} from read_parquet({listed([str(path)])})")

    def _judge_files(
        self, missing: dict[str, list[str]], repeated: dict[str, list[str]], details: dict[str, str]
    ) -> None:
        faults = [part for part in self.parts if part.fault is not None]
        reasons = [f"{part.file_name}: {part.fault}" for part in faults[:3]]
        lacking = missing["participant_id"] + repeated["participant_id"] if self.is_erasures else []
        if self.is_erasures:
            reasons += [f"{name}: no column participant_id, or two" for name in lacking[:3]]
        self.add(
            "part files are readable and hold participant_id" if self.is_erasures else "part files are readable",
            not faults and not lacking,
            evaluated=len(self.parts),
            unexpected=len(faults) + len(lacking),
            sample_keys=join_keys([*(part.file_name for part in faults), *lacking]),
            detail="; ".join(reasons),
        )
        if not self.is_erasures:
            said: set[str | None] = set()
            for column in self.table.columns:
                detail = details.get(column)
                self.add(
                    f"column {column} is in every part file",
                    not missing[column],
                    evaluated=len(self.parts) - len(faults),
                    unexpected=len(missing[column]),
                    sample_keys=join_keys(missing[column]),
                    detail=None if detail in said else detail,
                )
                said.add(detail)
            twice = {column: files for column, files in repeated.items() if files}
            names = list(dict.fromkeys(name for files in twice.values() for name in files))
            self.add(
                "no declared column stands twice in a part file",
                not twice,
                evaluated=len(self.parts) - len(faults),
                unexpected=len(names),
                sample_keys=join_keys(names),
                detail=f"{', '.join(twice)} (upper and lower case are one name)",
            )
        self.is_whole = not faults and not any(missing.values()) and not any(repeated.values())

    def _group(self, parts: list[PartFile], held: dict[str, ParquetFile]) -> None:
        """Sort Parquet files by what their columns hold; a file's types are never judged against another's."""
        groups: dict[tuple[object, ...], Group] = {}
        links = str(self.workspace / "links")
        filled = [part for part in parts if held[part.path].rows]
        self.note_foreign(filled, held)
        for part in filled:
            file = held[part.path]
            types = dict(reversed(file.columns))
            key: list[object] = [str(part.read_path).startswith(links)]
            for column in self.table.columns:
                physical = self.mapping.physical(column)
                is_foreign = part.path in self.foreign[column]
                key.append((types[physical], is_foreign, physical in file.out_of_range))
            if any(name.casefold() in OWN_NAMES for name, _ in file.columns):
                self._copy_declared(part)
            if tuple(key) not in groups:
                columns = {column: self.column(column, part, types, file) for column in self.table.columns}
                groups[tuple(key)] = Group(columns)
            groups[tuple(key)].files.append(str(part.read_path))
        self.groups = list(groups.values())
        for group in self.groups:
            self.selects.append(self.parquet_select(group))
            self.is_checked = self.is_checked or any(
                column.text or column.present or column.checks_range for column in group.columns.values()
            )

    def note_foreign(self, parts: list[PartFile], held: dict[str, ParquetFile]) -> None:
        """Which files hold values of another type: a column without any may be of any type."""
        suspects: dict[tuple[str, str], list[PartFile]] = defaultdict(list)
        for part in parts:
            types = dict(reversed(held[part.path].columns))
            for column in self.table.columns:
                type_ = types[self.mapping.physical(column)]
                if self.column(column, part, types, held[part.path]).value == "null":
                    suspects[column, type_].append(part)
        for (column, type_), files in suspects.items():
            physical = quoted(self.mapping.physical(column))
            counts = dict(
                self.connection.execute(
                    f"select rapport_file_, count({physical}) from read_parquet("
                    f"{listed([str(part.read_path) for part in files])}, hive_partitioning = false,"
                    f" filename = 'rapport_file_') group by rapport_file_"
                ).fetchall()
            )
            for part in files:
                if counts.get(part.read_path):
                    self.foreign[column][part.path] = type_

    def column(self, column: str, part: PartFile, types: dict[str, str], file: ParquetFile) -> Column:
        """How a column of a Parquet file is read; one of another type is read as null."""
        declared, physical = self.table.columns[column], self.mapping.physical(column)
        name, type_ = quoted(physical), types[physical]
        if self.is_erasures and type_ in EXACT_INTEGERS | WIDE_INTEGERS:
            return Column(value=f"cast({name} as varchar)")
        if column in self.mapping.values:
            text = as_text(name, type_)
            if text is not None:
                return Column(text=self._with_words(column, text), checks_range=declared == "timestamp")
        read = of_parquet(name, type_, declared, self.table.is_key(column))
        if read is None:
            return Column(value="null")
        value, may_fail = read
        has_moments = declared == "timestamp" and type_ != WITHOUT_VALUES
        out_of_range = has_moments and physical in file.out_of_range
        return Column(
            value=value,
            present=f"{name} is not null" if may_fail or out_of_range else None,
            checks_range=out_of_range,
        )

    def _with_words(self, column: str, text: str) -> str:
        declared = self.table.columns[column]
        plain = plain_text(text, declared, self.table.is_key(column))
        return with_words(plain, self.mapping.values.get(column, {}))

    def _copy_declared(self, part: PartFile) -> None:
        """Copy the declared columns of a file whose other columns bear names of DuckDB's own."""
        folder = self.workspace / "links" / self.table.name
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f"{self.parts.index(part)}-copy.parquet"
        names = ", ".join(quoted(self.mapping.physical(column)) for column in self.table.columns)
        self.connection.execute(
            f"copy (select {names} from read_parquet({listed([str(part.read_path)])}, hive_partitioning = false,"
            f" filename = 'rapport_file_')) to {literal(str(copy))} (format parquet)"
        )
        part.read_path = str(copy)

    def parquet_select(self, group: Group) -> str:
        """SQL of the rows of some Parquet files, in the columns of the view."""
        plain = [path for path in group.files if path.startswith(f"{self.folder}/")]
        if len(plain) == len(group.files):
            part_file = f"substr(filename, {len(str(self.folder)) + 2})"
        else:
            names = {str(part.read_path): part.file_name for part in self.parts}
            cases = " ".join(f"when {literal(path)} then {literal(names[path])}" for path in group.files)
            part_file = f"case filename {cases} end"
        source = f"read_parquet({listed(group.files)}, hive_partitioning = false)"
        return self.select(group, source, (part_file, "file_row_number", "cast(null as bigint)"))

    def select(self, group: Group, source: str, place: tuple[str, str, str]) -> str:
        """SQL of a view's columns.

        ``source``: what stands after ``from``. ``place``: the SQL of part file, row and line.
        """
        columns = self.table.columns
        if not any(column.text or column.present or column.checks_range for column in group.columns.values()):
            values = ", ".join(
                f"cast({group.columns[name].value} as {SQL_TYPES[declared]}) as {quoted(name)}"
                for name, declared in columns.items()
            )
            return (
                f"select {values}, {place[0]} as part_file, {place[1]} as row_number, {place[2]} as line_number,"
                f" cast(null as varchar) as unreadable from {source}"
            )
        texts, parsed, ranged, final, broken = [], [], [], [], []
        for number, (name, declared) in enumerate(columns.items()):
            column = group.columns[name]
            if column.text is not None:
                texts.append(f"{column.text} as t{number}")
                parsed.append(f"{of_text(f't{number}', declared, self.mapping.decimal)} as v{number}")
                present = f"t{number} is not null" if declared != "varchar" else None
            else:
                texts.append(f"{column.value} as t{number}")
                parsed.append(f"t{number} as v{number}")
                present = column.present
            if present is not None and column.text is None:
                texts.append(f"{present} as p{number}")
                parsed.append(f"p{number}")
            elif present is not None:
                parsed.append(f"{present} as p{number}")
            if present is not None:
                ranged.append(f"p{number}")
                broken.append(f"case when p{number} and v{number} is null then {literal(name)} end")
            value = in_range(f"v{number}") if column.checks_range else f"v{number}"
            ranged.append(f"{value} as v{number}")
            final.append(f"cast(v{number} as {SQL_TYPES[declared]}) as {quoted(name)}")
        unreadable = f"nullif(concat_ws(',', {', '.join(broken)}), '')" if broken else "cast(null as varchar)"
        found = ", ".join(f"{sql} as {name}" for sql, name in zip(place, ("part_", "row_", "line_"), strict=True))
        kept = "part_, row_, line_"
        return (
            f"select {', '.join(final)}, part_ as part_file, row_ as row_number, line_ as line_number,"
            f" {unreadable} as unreadable from (select {', '.join(ranged)}, {kept} from (select {', '.join(parsed)},"
            f" {kept} from (select {', '.join(texts)}, {found} from {source})))"
        )

    def view_sql(self) -> str:
        """SQL of the table's view."""
        if self.is_whole and self.selects:
            return " union all ".join(self.selects)
        types = {name: SQL_TYPES[declared] for name, declared in self.table.columns.items()} | PLACES
        nothing = ", ".join(f"cast(null as {type_}) as {quoted(name)}" for name, type_ in types.items())
        return f"select {nothing} where false"

    def erasures_sql(self) -> str:
        """SQL of the view of the erasures' list: ids without spaces around them and without byte order marks."""
        around = r"[\s\p{Z}\x{FEFF}\x{200B}]+"
        trimmed = f"regexp_replace(participant_id, '^{around}|{around}$', '', 'g')"
        return (
            f"select nullif({trimmed}, '') as participant_id, part_file, row_number, line_number"
            f" from ({self.view_sql()}) where nullif({trimmed}, '') is not null"
        )

    def value_verdicts(self, erased: Erased) -> Iterator[Verdict]:
        """A verdict on each typed column: whether every value is of the declared type."""
        if not self.is_whole:
            return
        rows = sum(part.rows or 0 for part in self.parts)
        try:
            broken = self.unreadable(erased) if self.is_checked else {}
            foreign = {column: self.foreign_rows(column, erased) for column, files in self.foreign.items() if files}
        except duckdb.Error:
            self.find_damage(self.parts)
            return
        for column, declared in self.table.columns.items():
            if column in foreign:
                types = {Path(path): type_ for path, type_ in self.foreign[column].items()}
                names = {part.path: part.file_name for part in self.parts}
                count, keys = foreign[column]
                yield Verdict(
                    self.table.name,
                    f"{column} is {declared}",
                    "critical",
                    False,
                    FILES,
                    evaluated=rows,
                    unexpected=count,
                    sample_keys=keys,
                    detail=", ".join(f"{names[str(path)]} holds {type_}" for path, type_ in list(types.items())[:3]),
                )
                continue
            count, keys = broken.get(column, (0, None))
            if declared == "varchar" and not count:
                yield self._verdict(f"{column} is {declared}", True, evaluated=rows)
                continue
            yield replace(
                self._verdict(
                    f"{column} is {declared}",
                    not count,
                    evaluated=rows,
                    unexpected=count,
                    sample_keys=keys,
                    detail=self._not_readable(declared),
                ),
                expectation=VALUES,
            )

    def _not_readable(self, declared: str) -> str | None:
        """Why a value could not be read; of words in files also where they are translated."""
        if declared == "boolean" and self.file_format in FORMATS:
            return f"{NOT_READABLE[declared]}; other words are translated in {MAPPING} (docs/mapping.md)"
        return NOT_READABLE.get(declared)

    def unreadable(self, erased: Erased) -> dict[str, tuple[int, str | None]]:
        """Number of unreadable values and some of their rows, by column."""
        place = "part_file, row_number, line_number"
        found = self.connection.execute(
            f"select column_name, count(*), arg_min(row(key, {place}), row(part_file, row_number), {MAX_SAMPLE_KEYS})"
            f" from (select unnest(string_split(unreadable, ',')) as column_name,"
            f" {quoted(self.table.key)} as key, {place} from {SCHEMA}.{quoted(self.table.name)}"
            f" where unreadable is not null and {erased.not_erased(self.table)}) group by column_name"
        ).fetchall()
        can_tell = erased.can_tell(self.table)
        return {
            str(column): (
                int(count),
                join_keys(
                    f"{'(no key)' if key is None else key} ({_place(*where)})" if can_tell else where[0]
                    for key, *where in rows
                ),
            )
            for column, count, rows in found
        }

    def foreign_rows(self, column: str, erased: Erased) -> tuple[int, str | None]:
        """Number of values of another type, and keys of some of their rows."""
        read_paths = {part.path: str(part.read_path) for part in self.parts}
        physical = {name: quoted(self.mapping.physical(name)) for name in self.table.columns}
        count = 0
        keys: list[str | None] = []
        for path in self.foreign[column]:
            file = f"read_parquet({listed([read_paths[path]])}, hive_partitioning = false)"
            key = f"cast({physical[self.table.key]} as varchar) as key"
            source = (
                f"from (select {physical[column]} as value, {key}{self.owner(physical)} from {file})"
                f" where value is not null and {erased.not_erased(self.table)}"
            )
            count += int(self.connection.execute(f"select count(*) {source}").fetchall()[0][0])
            if len(keys) < MAX_SAMPLE_KEYS:
                found = self.connection.execute(f"select key {source} order by key limit {MAX_SAMPLE_KEYS}").fetchall()
                keys += [key for (key,) in found]
        return count, join_keys(keys) if erased.can_tell(self.table) else None

    def owner(self, physical: dict[str, str]) -> str:
        """SQL of the columns that say whose a row is, each after a comma."""
        owners = [name for name in ("participant_id", "session_id") if name in self.table.columns]
        return "".join(f", cast({physical[name]} as varchar) as {name}" for name in owners)

    def find_damage(self, parts: Sequence[PartFile]) -> None:
        """After a failure inside the rows: which files it lies in."""
        for part in parts:
            if not rows_can_be_read(self.connection, str(part.read_path)):
                part.fault = DAMAGED
        damaged = [part.file_name for part in parts if part.fault == DAMAGED] or [part.file_name for part in parts]
        self.is_whole, self.is_damaged = False, True
        self.verdicts = [verdict for verdict in self.verdicts if verdict.rule != "part files are readable"]
        self.add(
            "part files are readable",
            False,
            evaluated=len(self.parts),
            unexpected=len(damaged),
            sample_keys=join_keys(damaged),
            detail=DAMAGED,
        )

    def _verdict(self, rule: str, passed: bool, **more: Any) -> Verdict:
        if passed:
            more["sample_keys"] = more["detail"] = None
        more.setdefault("unexpected", int(not passed))
        return Verdict(self.table.name, rule, "critical", passed, FILES, **more)

    def add(self, rule: str, passed: bool, **more: Any) -> None:
        """Keep a verdict."""
        self.verdicts.append(self._verdict(rule, passed, **more))


class Erased:
    """Whose rows no verdict may name."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, readers: dict[str, TableReader], erasures: TableReader
    ) -> None:
        """Count the list, whose view has been made."""
        self.connection, self.readers, self.erasures = connection, readers, erasures
        self.ids = self._count(f"select count(distinct participant_id) from {SCHEMA}.{ERASURES}")

    def not_erased(self, table: DeclaredTable) -> str:
        """A condition that holds for the rows of a table that belong to nobody who is to be erased."""
        if not self.ids:
            return "true"
        if "participant_id" in table.columns:
            return f"(participant_id is null or participant_id not in ({IDS}))"
        if "session_id" in table.columns and "sessions" in self.readers:
            sessions = (
                f"select session_id from {SCHEMA}.sessions where session_id is not null and participant_id in ({IDS})"
            )
            return f"(session_id is null or session_id not in ({sessions}))"
        return "true"

    def can_tell(self, table: DeclaredTable) -> bool:
        """Whether it is known whose the rows of a table are, and who is to be erased; else none may be named."""
        if any(not verdict.passed for verdict in self.erasures.verdicts):
            return False
        sessions = self.readers.get("sessions")
        return not self.ids or "participant_id" in table.columns or (sessions is not None and sessions.is_whole)

    def verdicts(self) -> Iterator[Verdict]:
        """What the list asks for and what of it is found; an id that is not found by its place, never by itself."""
        owners = [name for name, reader in self.readers.items() if "participant_id" in reader.table.columns]
        if not self.erasures.is_given or not owners:
            return
        found = {name: self._found_in(reader.table) for name, reader in self.readers.items()}
        yield Verdict(
            ERASURES,
            LISTED_AND_FOUND,
            "info",
            True,
            FILES,
            evaluated=self.ids,
            detail=", ".join(f"{name} {count}" for name, count in found.items() if count is not None),
        )
        people = " union ".join(f"select participant_id from {SCHEMA}.{quoted(name)}" for name in owners)
        source = (
            f"from {SCHEMA}.{ERASURES} where participant_id not in"
            f" (select participant_id from ({people}) where participant_id is not null)"
        )
        unknown = self._count(f"select count(distinct participant_id) {source}")
        rows = self.connection.execute(
            f"select part_file, row_number, line_number {source} order by part_file, row_number limit {MAX_SAMPLE_KEYS}"
        ).fetchall()
        yield Verdict(
            ERASURES,
            "every id is one of the export",
            "warning",
            not unknown,
            FILES,
            evaluated=self.ids,
            unexpected=unknown,
            sample_keys=join_keys(_place(*where) for where in rows),
            detail="ids that match nobody: nothing is erased for them" if unknown else None,
        )

    def _found_in(self, table: DeclaredTable) -> int | None:
        """How many people of the list have rows in a table."""
        name = f"{SCHEMA}.{quoted(table.name)}"
        if "participant_id" in table.columns:
            return self._count(f"select count(distinct participant_id) from {name} where participant_id in ({IDS})")
        if "session_id" not in table.columns or "sessions" not in self.readers:
            return None
        return self._count(
            f"select count(distinct sessions.participant_id) from {SCHEMA}.sessions as sessions"
            f" where sessions.participant_id in ({IDS}) and sessions.session_id in (select session_id from {name})"
        )

    def _count(self, sql: str) -> int:
        return int(self.connection.execute(sql).fetchall()[0][0])


def join_columns(names: Sequence[str]) -> str:
    """Names of columns of a Parquet file, shortened and escaped."""
    shown = join_keys(names) or "no column"
    return shown + (f" and {len(set(names)) - 5} more" if len(set(names)) > 5 else "")


def _place(part_file: str, row_number: int, line_number: int | None) -> str:
    """Where a row stands, as people count: from 1."""
    return f"{part_file} row {row_number + 1}" if line_number is None else f"{part_file} line {line_number}"


def _is_like(name: str, column: str) -> bool:
    """Whether a name may be that of a declared column: nearly the same, or a word of it."""
    is_word = len(name) > 2 and name.isalpha() and name.casefold() in column.split("_")
    return is_word or resembles(name, [column]) is not None


def _is_made_by_renaming(name: str, folded: Sequence[str]) -> bool:
    """Whether DuckDB, which numbers names that stand twice, may give this name to another column."""
    stem, _, number = name.casefold().rpartition("_")
    return number.isdigit() and folded.count(stem) > 1


def _mapping_of(root: Path, tables: Sequence[DeclaredTable]) -> Mapping:
    path = root / MAPPING
    if path.is_symlink() and not is_under(path, Path(os.path.realpath(root))):
        raise MappingError("it is a symbolic link that leaves the export")
    return read_mapping(path, tables)


def _beside(root: Path, tables: Sequence[str]) -> Iterator[Verdict]:
    """Verdicts on what lies beside the tables' folders."""
    misspelt, others = stray_names(root, tables)
    yield Verdict(
        EXPORT,
        "no name beside the tables is misspelt",
        "critical",
        not misspelt,
        FILES,
        evaluated=len(misspelt) + len(others),
        unexpected=len(misspelt),
        sample_keys=join_keys(name for name, _ in misspelt),
        detail="; ".join(f"{name} is not read: is it {meant}?" for name, meant in misspelt[:3]) or None,
    )
    yield Verdict(
        EXPORT,
        "holds only the tables' folders",
        "warning",
        not others,
        FILES,
        evaluated=len(misspelt) + len(others),
        unexpected=len(others),
        sample_keys=join_keys(others),
        detail="they are not read" if others else None,
    )


def _failed(table: str, rule: str, detail: str) -> Verdict:
    return Verdict(table, rule, "critical", False, FILES, unexpected=1, detail=detail)


def create_view(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    """Create a view of schema ``raw``, in the place of what has its name."""
    if is_spark(connection):
        connection.execute(f"create or replace view {SCHEMA}.{quoted(name)} as {sql}")
        return
    is_table = connection.execute(
        "select count(*) from duckdb_tables() where database_name = current_database() and schema_name = ?"
        " and table_name = ?",
        [SCHEMA, name],
    ).fetchall()
    if is_table[0][0]:
        connection.execute(f"drop table {SCHEMA}.{quoted(name)} cascade")
    connection.execute(f"create or replace view {SCHEMA}.{quoted(name)} as {sql}")
