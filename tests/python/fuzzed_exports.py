"""Mutations of a raw export, seeded, each with what a build has to make of it."""

from __future__ import annotations

import datetime as dt
import gzip
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from faults import (
    KEYS,
    MARK,
    Site,
    State,
    Tally,
    copy_options,
    judge_failure,
    judge_output,
    judge_state,
    judge_success,
    literal,
    reader,
    restore,
)

COLUMNS = {
    "participants": {
        "registered_at": "timestamp", "age_years": "integer", "sex": "varchar", "country_code": "varchar",
        "employer_sponsored": "boolean", "loaded_at": "timestamp",
    },
    "who5_assessments": {
        "participant_id": "varchar", "completed_at": "timestamp",
        **{f"item_{number}": "integer" for number in range(1, 6)}, "loaded_at": "timestamp",
    },
    "sessions": {
        "participant_id": "varchar", "provider_id": "varchar", "provider_type": "varchar", "started_at": "timestamp",
        "status": "varchar", "duration_minutes": "integer", "loaded_at": "timestamp",
    },
    "alliance_ratings": {
        "session_id": "varchar", "submitted_at": "timestamp", "bond_item": "integer", "goals_item": "integer",
        "loaded_at": "timestamp",
    },
}  # fmt: skip
ANSWERS = {
    "who5_assessments": [f"item_{number}" for number in range(1, 6)],
    "alliance_ratings": ["bond_item", "goals_item"],
}
ODD_TEXTS = (
    "''", "' '", "'null'", "'患者-✓'", "'e' || chr(769)", "chr(8238) || 'abc'", "'😀'", "'%s %(x)s {} {{ 1/0 }} {% raw %}'",
    "'x''); drop schema marts cascade; --'", "'../../etc/passwd'", "repeat('k', 20000)", "'a' || chr(10) || 'b'",
    "'a,b\"c'", "null", "chr(9)", "'=1+1'", "'FEMALE'", "'us'",
)  # fmt: skip
ODD_WHOLE_NUMBERS = ("-1", "121", "2147483647", "-2147483648", "0", "null")
ODD_TIMES = (
    "timestamp '0001-01-01'", "timestamp '9999-12-31 23:59:59.999999'", "timestamp '1969-12-31'", "null",
    "timestamp '2020-02-29 23:59:59'", "timestamp 'infinity'", "timestamp '-infinity'", "timestamp '290000-01-01'",
)  # fmt: skip
ODD_NAMES = (
    "part '; drop schema marts cascade; --", "part \"quoted\"", "part 患者 é", "part [a-z]*?", "{{ 1 / 0 }}", "{% raw %}",
    "%s%d", "-rf", "part=1", "a,b;c", "part\nnew line", "$HOME", "part\\n", "x" * 200,
)  # fmt: skip

SAME, STOP, ANY = "same", "stop", "any"
"""The marts are as they were, the build stops at a gate, or either is right (and new marts are whole)."""


@dataclass
class Part:
    """The part file that is spoilt, of a table in an export."""

    chance: random.Random
    table: str
    path: Path
    raw_format: str

    @property
    def key(self) -> str:
        """The primary key of its table."""
        return KEYS[self.table]

    def rewrite(self, select: str, path: Path | None = None) -> None:
        """`select` reads the rows of the file as `rows`; ``path``: another file to be written."""
        with duckdb.connect() as connection:
            everywhere = sorted(self.path.parent.glob(f"*.{self.raw_format}"))
            connection.execute(f"create table rows as select * from {reader([self.path], self.raw_format)}")
            connection.execute(f"create view delivered as select * from {reader(everywhere, self.raw_format)}")
            connection.execute(f"copy ({select}) to '{literal(path or self.path)}' ({copy_options(self.raw_format)})")

    def column(self, *types: str) -> str:
        """One of its columns, of one of the types."""
        return self.chance.choice([name for name, type_ in COLUMNS[self.table].items() if type_ in types])

    def stands(self) -> str:
        """A condition that holds for the rows that no later delivery supersedes."""
        return f"({self.key}, loaded_at) in (select {self.key}, max(loaded_at) from delivered group by {self.key})"

    def some(self) -> str:
        """A condition that holds for a few rows, at least one if any of the file stands: no later one supersedes them."""
        salt = self.chance.randrange(10**6)
        stands = self.stands()
        first = f"(select min({self.key}) from rows where {stands})"
        return f"({stands} and ({self.key} = {first} or hash({self.key} || '{salt}') % 200 = 0))"

    def replace(self, column: str, value: str, where: str | None = None) -> None:
        """Another value in some rows."""
        where = where or self.some()
        if self.raw_format == "csv":
            value = f"cast({value} as varchar)"
        self.rewrite(f"select * replace (case when {where} then {value} else {column} end as {column}) from rows")

    def lines(self) -> list[str]:
        """The lines of a CSV file."""
        return self.path.read_text().splitlines()

    def write_lines(self, lines: list[str], end: str = "\n") -> None:
        """A CSV file of lines."""
        self.path.write_text(end.join(lines) + end, newline="")


def flip_bytes(part: Part) -> None:
    content = bytearray(part.path.read_bytes())
    for _ in range(part.chance.choice((1, 3, 50))):
        content[part.chance.randrange(len(content))] = part.chance.randrange(256)
    part.path.write_bytes(content)


def flip_bytes_of_the_end(part: Part) -> None:
    content = bytearray(part.path.read_bytes())
    for _ in range(3):
        content[-1 - part.chance.randrange(min(400, len(content)))] = part.chance.randrange(256)
    part.path.write_bytes(content)


def truncate(part: Part) -> None:
    part.path.write_bytes(part.path.read_bytes()[: part.chance.randrange(1, part.path.stat().st_size)])


def make_empty(part: Part) -> None:
    part.path.write_bytes(b"")


def random_bytes(part: Part) -> None:
    part.path.write_bytes(
        part.chance.choice((b"\x89PNG\r\n", b"PAR1", b"PK\x03\x04", b"\0")) + part.chance.randbytes(500)
    )


def append_bytes(part: Part) -> None:
    part.path.write_bytes(part.path.read_bytes() + part.chance.randbytes(40))


def odd_text(part: Part) -> None:
    part.replace(
        part.column("varchar") if part.table != "alliance_ratings" else "session_id", part.chance.choice(ODD_TEXTS)
    )


def odd_key(part: Part) -> None:
    part.replace(part.key, part.chance.choice(ODD_TEXTS))


def odd_whole_number(part: Part) -> None:
    column = {"participants": "age_years", "sessions": "duration_minutes"}.get(part.table)
    part.replace(column or part.chance.choice(ANSWERS[part.table]), part.chance.choice(ODD_WHOLE_NUMBERS))


def odd_time(part: Part) -> None:
    part.replace(part.column("timestamp"), part.chance.choice(ODD_TIMES))


def answer_out_of_range(part: Part) -> None:
    part.replace(part.chance.choice(ANSWERS[part.table]), part.chance.choice((f"7{MARK}", f"-7{MARK}")))


def answer_not_whole(part: Part) -> None:
    column = part.chance.choice(ANSWERS[part.table])
    part.rewrite(
        f"select * replace (case when {part.some()} then 3.{MARK} else {column}::double end as {column}) from rows"
    )


def answer_as_text(part: Part) -> None:
    column = part.chance.choice(ANSWERS[part.table])
    part.rewrite(
        f"select * replace (case when {part.some()} then 'much {MARK}' else {column}::varchar end as {column}) from rows"
    )


def answer_beyond_integers(part: Part) -> None:
    column = part.chance.choice(ANSWERS[part.table])
    value = part.chance.choice(
        (f"1e300::double + {MARK}", "'nan'::double", "'infinity'::double", f"{MARK}00000000000::hugeint")
    )
    part.rewrite(f"select * replace (case when {part.some()} then {value} else {column} end as {column}) from rows")


def other_type(part: Part) -> None:
    column, type_ = part.chance.choice(
        [
            *((column, "varchar") for column, held in COLUMNS[part.table].items() if held != "varchar"),
            *((column, "date") for column, held in COLUMNS[part.table].items() if held == "timestamp"),
        ]
    )
    part.rewrite(f"select * replace ({column}::{type_} as {column}) from rows")


def nested_type(part: Part) -> None:
    column = part.chance.choice(list(COLUMNS[part.table]))
    value = part.chance.choice(
        (f"[{column}]", f"{{'x': {column}}}", f"map {{'x': {column}}}", f"{column}::varchar::blob")
    )
    part.rewrite(f"select * replace ({value} as {column}) from rows")


def wider_type(part: Part) -> None:
    types = {
        "integer": ("bigint", "double", "smallint", "decimal(18, 3)", "hugeint"),
        "timestamp": ("timestamptz", "timestamp_ns"),
    }
    column = part.column(*(held for held in types if held in COLUMNS[part.table].values()))
    type_ = part.chance.choice(types[COLUMNS[part.table][column]])
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"create table rows as from {reader([part.path], part.raw_format)}")
        connection.execute(
            f"copy (select * replace ({column}::{type_} as {column}) from rows) to '{literal(part.path)}' (format parquet)"
        )


def without_column(part: Part) -> None:
    part.rewrite(f"select * exclude ({part.chance.choice(list(COLUMNS[part.table]))}) from rows")


def renamed_column(part: Part) -> None:
    column = part.chance.choice(list(COLUMNS[part.table]))
    part.rewrite(
        f'select * exclude ({column}), {column} as "{part.chance.choice((column + " ", column + "_2", "x"))}" from rows'
    )


def upper_case_column(part: Part) -> None:
    column = part.chance.choice(list(COLUMNS[part.table]))
    part.rewrite(f'select * exclude ({column}), {column} as "{column.upper()}" from rows')


def other_order(part: Part) -> None:
    columns = [part.key, *COLUMNS[part.table]]
    part.chance.shuffle(columns)
    part.rewrite(f"select {', '.join(columns)} from rows")


def extra_column(part: Part) -> None:
    name = part.chance.choice(
        (
            "select",
            'a"b',
            "'; drop schema marts cascade; --",
            "file_name",
            "part_file",
            "患者",
            "{{ x }}",
            "standing",
            "filename",
        )
    )
    quoted = name.replace('"', '""')
    part.rewrite(f"select *, '{MARK}' as \"{quoted}\" from rows")


def file_twice(part: Part) -> None:
    shutil.copy(part.path, part.path.with_stem(part.path.stem + "-copy"))


def rows_again_later(part: Part) -> None:
    # Deliveries of one key lie whole days apart: this one is at no other's moment.
    stamp = "loaded_at::timestamp + interval 90001 second as loaded_at"
    part.rewrite(f"select * replace ({stamp}) from rows where {part.stands()}", part.path.with_stem("part-again"))


def rows_in_conflict(part: Part) -> None:
    column, value = {
        "participants": ("sex", "case when sex = 'female' then 'male' else 'female' end"),
        "who5_assessments": ("item_1", "case when item_1::int = 0 then 1 else 0 end"),
        "sessions": ("provider_id", "provider_id || 'x'"),
        "alliance_ratings": ("bond_item", "case when bond_item::int = 1 then 2 else 1 end"),
    }[part.table]
    part.rewrite(
        f"select * replace ({value} as {column}) from rows where {part.some()}", part.path.with_stem("part-conflict")
    )


def no_rows(part: Part) -> None:
    part.rewrite("select * from rows where false", part.path.with_stem("part-empty"))


def no_table(part: Part) -> None:
    for path in part.path.parent.glob(f"*.{part.raw_format}"):
        if path != part.path:
            path.unlink()
    part.rewrite("select * from rows where false")


def no_folder(part: Part) -> None:
    shutil.rmtree(part.path.parent)


def file_withdrawn(part: Part) -> None:
    part.path.unlink()


def odd_file_name(part: Part) -> None:
    part.path.rename(part.path.with_name(f"{part.chance.choice(ODD_NAMES)}.{part.raw_format}"))


def name_not_utf8(part: Part) -> None:
    Path(part.path).rename(part.path.with_name(b"part-\xff".decode("utf-8", "surrogateescape") + f".{part.raw_format}"))


def file_of_a_tool(part: Part) -> None:
    name = part.chance.choice(("README.md", ".hidden", "part.parquet.crc", "_SUCCESS", ".DS_Store", "_committed_1"))
    (part.path.parent / name).write_bytes(part.chance.randbytes(30))


def foreign_file(part: Part) -> None:
    name = part.chance.choice(("part.tmp", "notes.txt", "part.json", "_part.pq", ".part.csv", "part.csv.bz2"))
    (part.path.parent / name).write_bytes(part.chance.randbytes(30))


def folder_like_a_file(part: Part) -> None:
    (part.path.parent / f"part-folder.{part.raw_format}").mkdir()


def link_to_nothing(part: Part) -> None:
    part.path.with_stem("part-link").symlink_to("nowhere")


def refers_to_nobody(part: Part) -> None:
    part.replace("session_id" if part.table == "alliance_ratings" else "participant_id", "'of nobody'")


def key_is_null(part: Part) -> None:
    part.replace(part.key, "null")


def utf16(part: Part) -> None:
    part.path.write_text(part.path.read_text(), encoding="utf-16")


def latin1(part: Part) -> None:
    lines = part.lines()
    lines[-1] = "é" + lines[-1]
    part.path.write_bytes("\n".join(lines).encode("latin-1"))


def byte_order_mark(part: Part) -> None:
    part.path.write_text(part.path.read_text(), encoding="utf-8-sig")


def windows_lines(part: Part) -> None:
    part.write_lines(part.lines(), "\r\n")


def other_delimiter(part: Part) -> None:
    part.path.write_text(part.path.read_text().replace(",", part.chance.choice(";\t|")))


def all_quoted(part: Part) -> None:
    part.rewrite("select * from rows")
    with duckdb.connect() as connection:
        connection.execute(f"create table rows as from {reader([part.path], 'csv')}")
        connection.execute(f"copy rows to '{literal(part.path)}' (format csv, header, force_quote *, nullstr '')")


def quote_left_open(part: Part) -> None:
    lines = part.lines()
    lines[part.chance.randrange(1, len(lines))] += f'"{MARK}'
    part.write_lines(lines)


def field_too_many(part: Part) -> None:
    lines = part.lines()
    lines[part.chance.randrange(1, len(lines))] += f",{MARK}"
    part.write_lines(lines)


def field_too_few(part: Part) -> None:
    lines = part.lines()
    number = part.chance.randrange(1, len(lines))
    lines[number] = lines[number].rsplit(",", 1)[0]
    part.write_lines(lines)


def header_twice(part: Part) -> None:
    lines = part.lines()
    part.write_lines([lines[0], *lines])


def no_header(part: Part) -> None:
    part.write_lines(part.lines()[1:])


def time_with_zone(part: Part) -> None:
    column = part.column("timestamp")
    form = part.chance.choice(
        (
            "{0} || '+00'",
            "{0} || 'Z'",
            "({0}::timestamp + interval 2 hour)::varchar || '+02:00'",
            "replace({0}, ' ', 'T')",
            "({0}::timestamp - interval 5 hour)::varchar || '-05'",
        )
    ).format(column)
    part.rewrite(f"select * replace ({form} as {column}) from rows")


def time_that_is_none(part: Part) -> None:
    part.replace(
        "loaded_at",
        part.chance.choice(("'2021-02-30'", "'yesterday'", "'13/13/2021'", "'1614600000'", "'2021-01-01 25:00:00'")),
    )


def number_in_another_form(part: Part) -> None:
    column = {"participants": "age_years", "sessions": "duration_minutes"}.get(part.table) or part.chance.choice(
        ANSWERS[part.table]
    )
    value = part.chance.choice(
        ("'1e0'", "'0x1'", "'+1'", "' 1'", "'1.0'", "'١'", "'1,0'", "'1_0'", "'NaN'", "'-0'", f"'1.{MARK}'")
    )
    part.replace(column, value)


def edited(part: Part, column: str, texts: tuple[str, ...]) -> None:
    """One text of several in a column of some line of a CSV file."""
    lines = part.lines()
    number = part.chance.randrange(1, len(lines))
    fields = lines[number].split(",")
    fields[lines[0].split(",").index(column)] = part.chance.choice(texts)
    lines[number] = ",".join(fields)
    part.write_lines(lines)


def time_that_only_looks_valid(part: Part) -> None:
    edited(
        part,
        part.column("timestamp"),
        (
            *("22/01/21 10:00", "9/5/21", "2021-01-21 11:30 BST", "2021-01-21 11:30:00 CET", "2021-01-21 24:00:00"),
            *("2021-01-21 10:00:00+99", "2021-01-21 (BC)", "epoch", "infinity", "1 2 3", "0022-01-21", "2101-01-01"),
        ),
    )


def truth_in_another_form(part: Part) -> None:
    edited(part, "employer_sponsored", ("y", "t", "1", "yes", "no", "T", "on"))


def unnamed_index_column(part: Part) -> None:
    header, *lines = part.lines()
    part.write_lines([f",{header}", *(f"{number},{line}" for number, line in enumerate(lines))])


def ragged_commas(part: Part) -> None:
    header, *lines = part.lines()
    width = part.chance.choice((1, 3))
    part.write_lines([header, *(line + "," * (number // 40 % 2 * width) for number, line in enumerate(lines))])


def mixed_line_ends(part: Part) -> None:
    ends = part.chance.sample(("\n", "\r\n", "\r"), 2)
    text = "".join(line + ends[number // 30 % 2] for number, line in enumerate(part.lines()))
    part.path.write_text(text, newline="")


def separator_line(part: Part) -> None:
    part.write_lines(["sep=;", *(line.replace(",", ";") for line in part.lines())])


def packed(part: Part) -> None:
    content = part.path.read_bytes()
    ending, squeezed = part.chance.choice(
        ((".gz", gzip.compress(content)), (".zst", pa.compress(content, codec="zstd", asbytes=True)))
    )
    part.path.with_name(part.path.name + ending).write_bytes(squeezed)
    part.path.unlink()


def packed_and_damaged(part: Part) -> None:
    content = gzip.compress(part.path.read_bytes())
    part.path.with_name(part.path.name + ".gz").write_bytes(content[: len(content) // 2])
    part.path.unlink()


def semicolons_with_a_mapping(part: Part) -> None:
    for path in part.path.parent.glob("*.csv"):
        path.write_text(path.read_text().replace(",", ";"))
    (part.path.parent.parent / "mapping.yml").write_text(f"tables: {{{part.table}: {{delimiter: ';'}}}}\n")


def column_renamed_by_a_mapping(part: Part) -> None:
    column = part.chance.choice(list(COLUMNS[part.table]))
    for path in part.path.parent.glob(f"*.{part.raw_format}"):
        Part(part.chance, part.table, path, part.raw_format).rewrite(
            f'select * exclude ({column}), {column} as "Spalte {column}" from rows'
        )
    (part.path.parent.parent / "mapping.yml").write_text(
        f'tables: {{{part.table}: {{columns: {{"Spalte {column}": {column}}}}}}}\n'
    )


def mapping_that_says_nothing_clear(part: Part) -> None:
    text = part.chance.choice(
        ("tables: {people: {}}", "delimiter: x", "tables: [", f"tables: {{{part.table}: {{columns: {{a: nothing}}}}}}")
    )
    (part.path.parent.parent / "mapping.yml").write_text(text)


def elsewhere(part: Part) -> None:
    folder = part.path.parent / part.chance.choice(("2021", "2021/q3", "month=2021-03", "loaded_at=x/participant_id=y"))
    folder.mkdir(parents=True)
    part.path.rename(folder / part.path.name)


def ending_in_upper_case(part: Part) -> None:
    part.path.rename(
        part.path.with_suffix(part.chance.choice((f".{part.raw_format.upper()}", f".{part.raw_format.title()}")))
    )


def table_format(part: Part) -> None:
    if part.chance.random() < 0.5:
        (part.path.parent / "_delta_log").mkdir()
        (part.path.parent / "_delta_log" / "00000000000000000000.json").write_text("{}")
    else:
        (part.path.parent / "metadata").mkdir()
        (part.path.parent / "metadata" / "v1.metadata.json").write_text("{}")


def misspelt_folder(part: Part) -> None:
    (part.path.parent.parent / part.chance.choice(("erasure", "erasures ", "Sessions2", "alliance_rating"))).mkdir()


def fraction_beside_an_empty_text_part(part: Part) -> None:
    column = part.chance.choice(ANSWERS[part.table])
    part.rewrite(
        f"select * replace ({column}::varchar as {column}) from rows where false", part.path.with_stem("part-0")
    )
    answer_not_whole(part)


def zoned_nanoseconds(part: Part) -> None:
    rows = pq.read_table(part.path)
    column = part.column("timestamp")
    nanoseconds = pa.array(
        [
            None if moment is None else int((moment - dt.datetime(1970, 1, 1)) / dt.timedelta(microseconds=1)) * 1000 + 999
            for moment in rows[column].to_pylist()
        ],
        pa.int64(),
    )  # fmt: skip
    zoned = nanoseconds.cast(pa.timestamp("ns", part.chance.choice(("UTC", "Asia/Dhaka", None))))
    pq.write_table(rows.set_column(rows.column_names.index(column), column, zoned), part.path)


def column_twice(part: Part) -> None:
    column = part.chance.choice(list(COLUMNS[part.table]))
    if part.raw_format == "csv":
        header, *lines = part.lines()
        part.write_lines([f"{header},{column.upper()}", *(f"{line},1" for line in lines)])
    else:
        rows = pq.read_table(part.path)
        pq.write_table(rows.append_column(part.chance.choice((column, column.upper())), rows[column]), part.path)


@dataclass(frozen=True)
class Mutation:
    """What is done, what a build has to make of it, in which formats and tables."""

    spoil: Callable[[Part], None]
    expect: str
    formats: tuple[str, ...] = ("parquet", "csv")
    tables: tuple[str, ...] = tuple(KEYS)


WITH_ANSWERS = tuple(ANSWERS)
PARQUET, CSV = ("parquet",), ("csv",)
MUTATIONS = (
    Mutation(flip_bytes, ANY),
    Mutation(flip_bytes_of_the_end, ANY),
    Mutation(truncate, STOP, PARQUET),
    Mutation(truncate, ANY, CSV),
    Mutation(make_empty, STOP),
    Mutation(random_bytes, STOP),
    Mutation(append_bytes, STOP, PARQUET),
    Mutation(append_bytes, ANY, CSV),
    Mutation(odd_text, ANY),
    Mutation(odd_key, ANY),
    Mutation(odd_whole_number, ANY),
    Mutation(odd_time, ANY),
    Mutation(answer_out_of_range, STOP, tables=WITH_ANSWERS),
    Mutation(answer_not_whole, STOP, tables=WITH_ANSWERS),
    Mutation(answer_as_text, STOP, tables=WITH_ANSWERS),
    Mutation(answer_beyond_integers, STOP, PARQUET, WITH_ANSWERS),
    Mutation(other_type, STOP, PARQUET),
    Mutation(nested_type, STOP, PARQUET),
    Mutation(wider_type, SAME, PARQUET),
    Mutation(without_column, STOP),
    Mutation(renamed_column, STOP),
    Mutation(upper_case_column, ANY),
    Mutation(other_order, SAME),
    Mutation(extra_column, SAME),
    Mutation(file_twice, SAME),
    Mutation(rows_again_later, SAME),
    Mutation(rows_in_conflict, STOP),
    Mutation(no_rows, SAME),
    Mutation(no_table, STOP),
    Mutation(no_folder, STOP),
    Mutation(file_withdrawn, ANY),
    Mutation(odd_file_name, SAME),
    Mutation(name_not_utf8, STOP),
    Mutation(file_of_a_tool, SAME),
    Mutation(foreign_file, STOP),
    Mutation(folder_like_a_file, SAME),
    Mutation(link_to_nothing, STOP),
    Mutation(refers_to_nobody, STOP, tables=("who5_assessments", "sessions", "alliance_ratings")),
    Mutation(key_is_null, STOP),
    Mutation(utf16, STOP, CSV),
    Mutation(latin1, STOP, CSV),
    Mutation(byte_order_mark, SAME, CSV),
    Mutation(windows_lines, SAME, CSV),
    Mutation(other_delimiter, STOP, CSV),
    Mutation(all_quoted, ANY, CSV),
    Mutation(quote_left_open, ANY, CSV),
    Mutation(field_too_many, STOP, CSV),
    Mutation(field_too_few, STOP, CSV),
    Mutation(header_twice, STOP, CSV),
    Mutation(no_header, STOP, CSV),
    Mutation(time_with_zone, SAME, CSV),
    Mutation(time_that_is_none, STOP, CSV),
    Mutation(number_in_another_form, ANY, CSV),
    Mutation(time_that_only_looks_valid, STOP, CSV),
    Mutation(truth_in_another_form, STOP, CSV, ("participants",)),
    Mutation(unnamed_index_column, SAME, CSV),
    Mutation(ragged_commas, SAME, CSV),
    Mutation(mixed_line_ends, SAME, CSV),
    Mutation(separator_line, SAME, CSV),
    Mutation(packed, SAME, CSV),
    Mutation(packed_and_damaged, STOP, CSV),
    Mutation(semicolons_with_a_mapping, SAME, CSV),
    Mutation(column_renamed_by_a_mapping, SAME),
    Mutation(mapping_that_says_nothing_clear, STOP),
    Mutation(elsewhere, SAME),
    Mutation(ending_in_upper_case, SAME),
    Mutation(table_format, STOP),
    Mutation(misspelt_folder, STOP),
    Mutation(fraction_beside_an_empty_text_part, STOP, PARQUET, WITH_ANSWERS),
    Mutation(zoned_nanoseconds, SAME, PARQUET),
    Mutation(column_twice, STOP),
)


def mutate(raw: Path, raw_format: str, chance: random.Random, mutation: Mutation) -> str:
    """Spoil one part file of an export; returns what was done to which file."""
    table = chance.choice(mutation.tables)
    path = chance.choice(sorted((raw / table).glob(f"*.{raw_format}")))
    mutation.spoil(Part(chance, table, path, raw_format))
    return f"{mutation.spoil.__name__} of {table}/{path.name}"


def fuzz_once(site: Site, good: Path, base: State, seed: str, mutations: list[Mutation], tally: Tally) -> None:
    """Spoil the good export, build, look. ``base``: the marts of the good export, any build's."""
    chance = random.Random(seed)
    restore(site, good)
    old = site.state()
    done, expect = [], {mutation.expect for mutation in mutations}
    for mutation in mutations:
        try:
            done.append(mutate(site.raw, site.raw_format, chance, mutation))
        except (duckdb.Error, RuntimeError, IndexError, FileNotFoundError, UnicodeDecodeError):
            # The first mutation has left nothing that the second could be done to.
            expect.add(ANY)
    outcome = site.run("--select", "+gate_raw")
    problems = judge_output(outcome)
    passed = outcome.code == 0
    if passed and STOP not in expect:
        outcome = site.run()
        problems += judge_output(outcome)
    found = site.state()
    if outcome.code != 0:
        problems += [p for p in judge_failure(outcome, list(KEYS)) if p not in problems]
        # Damage inside a Parquet file is found when its rows are read, and the last word names table and file.
        named = any(f"{table}: part files are readable (" in outcome.output for table in KEYS)
        if "is closed" not in outcome.output and not named:
            problems.append(f"no gate stopped it: {outcome.output[-700:]!r}")
        problems += judge_state(found, old)
    if passed and expect == {STOP}:
        problems.append("gate_raw let it pass")
    if expect == {SAME} and (outcome.code != 0 or findings(found) != findings(base)):
        problems.append(f"harmless, but it exits {outcome.code} or the marts change: {outcome.output[-500:]!r}")
    kept = site.query(
        f"select count(*) from audit.validation_results where concat_ws(' ', sample_keys, detail) like '%{MARK}%'"
    )[0][0]
    if kept:
        problems.append("a health answer in audit.validation_results")
    logs = site.target / "logs" / "dbt.log"
    if logs.exists():
        if MARK in logs.read_text(errors="replace"):
            problems.append("a health answer in dbt.log")
        logs.unlink()
    tally.add(found, old, problems, f"seed {seed}, {site.raw_format}, {' and '.join(done)}")


def findings(state: State) -> dict[str, str]:
    """Every published table but the one that counts delivered rows: repeated ones are in it, and change nothing else."""
    return {name: digest for name, digest in state.tables.items() if name != "source_summary"}


def build_good_export(site: Site, good: Path, base: State, tally: Tally) -> None:
    """After spoilt exports the good one gives the marts that it gave before them."""
    restore(site, good)
    outcome = site.run()
    problems = judge_success(outcome)
    if not problems and findings(site.state()) != findings(base):
        problems.append("the good export no longer gives the same marts")
    tally.failures += bool(problems)
    tally.problems += problems
