"""Reads CSV as text, a part of a file at a time, and knows the line of every row.

The dialect is fixed once per file, from its own first lines and the mapping, and never guessed from values:

- UTF-8, with or without a byte order mark; fields in double quotes as RFC 4180 has them; a header row;
- lines end in ``\\n``, ``\\r\\n`` or ``\\r``, also in one file; empty lines are none;
- a first line ``sep=;`` names the delimiter, otherwise the mapping does, otherwise it is a comma;
- where the header has a space after every delimiter, spaces after delimiters belong to no value;
- surplus fields at the end of a row are left out if they are empty.

The borders of rows and fields are found here; pyarrow then cuts the fields out, and has to find as many rows.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rapport.reading.mapping import DELIMITERS

CHUNK_BYTES = 8 << 20
MAX_RECORD_BYTES = 32 << 20
LF, CR, QUOTE, SPACE = 10, 13, 34, 32
SIGNATURES = {
    b"PAR1": "it is a Parquet file by its content",
    b"PK\x03\x04": "it is a ZIP archive (or a spreadsheet) by its content",
    b"\x1f\x8b": "it is packed by gzip: name it .csv.gz",
    b"\x28\xb5\x2f\xfd": "it is packed by zstd: name it .csv.zst",
    b"\xff\xfe": "it is UTF-16, not UTF-8",
    b"\xfe\xff": "it is UTF-16, not UTF-8",
}
BOM = b"\xef\xbb\xbf"

Positions = npt.NDArray[np.int64]


class CsvFault(ValueError):
    """The file cannot be read as CSV; the message names a line where there is one, and quotes nothing."""


class MissingColumns(CsvFault):
    """The header lacks declared columns."""

    def __init__(self, columns: Sequence[str], detail: str) -> None:
        """``columns``: by their declared names."""
        super().__init__(detail)
        self.columns = list(columns)


class RepeatedColumns(CsvFault):
    """The header holds declared columns twice."""

    def __init__(self, columns: Sequence[str]) -> None:
        """``columns``: by their declared names."""
        super().__init__("columns that stand twice")
        self.columns = list(columns)


@dataclass(frozen=True)
class TextRows:
    """Rows of one file: the text of each asked column, and the line of the file where each row begins."""

    columns: dict[str, pa.ChunkedArray]
    lines: Positions

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.lines)


def read_text(
    file: IO[bytes],
    packing: str | None,
    columns: Mapping[str, str],
    delimiter: str,
    max_unpacked_bytes: int,
    *,
    is_list: bool = False,
) -> Iterator[TextRows]:
    """The rows of a CSV file as text, in order.

    ``columns``: the name in the file by the name under which it is returned. ``packing``: ``gzip``, ``zstd`` or none.
    An empty field is null, in quotes or not. ``is_list``: a byte order mark inside the file, which two files in one
    leave, is part of the text and no fault. Raises :class:`CsvFault` as soon as the fault is met: what was returned
    before stands.
    """
    chunks = _chunks(file, packing, max_unpacked_bytes)
    try:
        reader = _Reader(chunks, delimiter, is_list)
        header = reader.header(columns)
        yield from reader.rows(header)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        if str(error).startswith("Not a gzipped file"):
            raise CsvFault("it is not packed with gzip, as its name says; unpacked text ends in .csv") from error
        raise CsvFault("its packed content is damaged or cut off") from error


@dataclass(frozen=True)
class _Header:
    names: list[str]
    width: int
    """How many fields a row must have: trailing columns without a name may be left out."""
    wanted: dict[str, int]
    """Position of each asked column."""


class _Reader:
    def __init__(self, chunks: Iterator[bytes], delimiter: str, is_list: bool) -> None:
        self.chunks = chunks
        self.is_list = is_list
        self.delimiter = delimiter
        self.skips_spaces = False
        self.line = 1
        """The line at which ``self.rest`` begins."""
        self.ended = False
        self.rest = self._next()
        while len(self.rest) < len(BOM) + 1 and not self.ended:
            self.rest += self._next()
        for signature, reason in SIGNATURES.items():
            if self.rest.startswith(signature):
                raise CsvFault(reason)
        self.rest = self.rest.removeprefix(BOM)

    def header(self, columns: Mapping[str, str]) -> _Header:
        record = self._first_record()
        separator = re.fullmatch(r'"?sep=(.)"?', record or "", flags=re.IGNORECASE | re.DOTALL)
        if separator:
            self.delimiter = separator[1]
            if self.delimiter not in DELIMITERS:
                raise CsvFault("line 1: its sep= line names a delimiter that is none of comma, semicolon, tab, pipe")
            record = self._first_record()
        if record is None:
            raise CsvFault("no header row")
        names = _fields(record, self.delimiter)
        if len(names) > 1 and all(name.startswith(" ") and name.strip() for name in names[1:]):
            self.skips_spaces = True
            names = _fields(record, self.delimiter, skip_spaces=True)
        missing = [ours for ours, theirs in columns.items() if theirs not in names]
        if missing:
            raise MissingColumns(missing, self._why_missing(record, names, columns))
        folded = [name.casefold() for name in names]
        repeated = [ours for ours, theirs in columns.items() if folded.count(theirs.casefold()) > 1]
        if repeated:
            raise RepeatedColumns(repeated)
        width = len(names)
        while not names[width - 1].strip():
            width -= 1
        return _Header(names, width, {ours: names.index(theirs) for ours, theirs in columns.items()})

    def rows(self, header: _Header) -> Iterator[TextRows]:
        while True:
            if self.rest:
                taken = self._take(header)
                if taken is not None:
                    yield taken
            if self.ended:
                return
            if len(self.rest) > MAX_RECORD_BYTES:
                raise CsvFault(
                    f"line {self.line}: a row of more than {MAX_RECORD_BYTES >> 20} MiB: is a quote left open?"
                )
            self.rest += self._next()

    def _next(self) -> bytes:
        chunk = next(self.chunks, b"")
        self.ended = self.ended or not chunk
        return chunk

    def _first_record(self) -> str | None:
        """The next row as text, taken off; ``None`` at the end of the file."""
        while True:
            layout = _Layout(self.rest, final=self.ended)
            if len(layout.starts):
                start, end = int(layout.starts[0]), int(layout.ends[0])
                record = self.rest[start:end]
                line = self.line + layout.lines_before(start)
                begin = end
                while begin < len(self.rest) and self.rest[begin] in (LF, CR):
                    begin += 1
                if begin == len(self.rest) and not self.ended:
                    self.rest += self._next()  # a line end may be cut in two
                    continue
                self.line += layout.lines_before(begin)
                self.rest = self.rest[begin:]
                return _decoded(record, line)
            if self.ended:
                if layout.odd_quotes:
                    raise CsvFault(f"line {self.line}: a quote is never closed")
                return None
            if len(self.rest) > MAX_RECORD_BYTES:
                raise CsvFault(f"line {self.line}: a header of more than {MAX_RECORD_BYTES >> 20} MiB")
            self.rest += self._next()

    def _why_missing(self, record: str, names: list[str], columns: Mapping[str, str]) -> str:
        """Counts only: a file without a header has data in its first row."""

        def known(found: list[str]) -> int:
            return len(declared & {name.strip().casefold() for name in found})

        declared = {name.casefold() for name in columns.values()}
        others = {mark: known(_fields(record, mark)) for mark in DELIMITERS if mark != self.delimiter}
        likely = max(others, key=lambda mark: others[mark])
        alike, exact = known(names), len(set(columns.values()) & set(names))
        if others[likely] > alike:
            return (
                f"its columns are separated by {DELIMITERS[likely]}, not by {DELIMITERS[self.delimiter]}:"
                " say so as delimiter in mapping.yml (docs/mapping.md)"
            )
        counted = f"its first row has {len(names)} field{'s' if len(names) != 1 else ''}"
        if not alike:
            return f"{counted} and none of the declared names: has the file a header?"
        otherwise = f" and {alike - exact} with spaces or in another case" if alike > exact else ""
        some = f"{exact} of {len(columns)} declared names{otherwise}"
        return f"{counted}, {some}; mapping.yml can rename columns (docs/mapping.md)"

    def _take(self, header: _Header) -> TextRows | None:
        """The whole rows of ``self.rest``, taken off."""
        delimiter = ord(self.delimiter)
        data = _without_spaces(self.rest, delimiter) if self.skips_spaces else self.rest
        layout = _Layout(data, final=self.ended)
        if layout.odd_quotes and self.ended:
            layout.check_quotes(delimiter, self.line)
            last = int(layout.quotes[-1])
            raise CsvFault(f"line {self.line + layout.lines_before(last)}: a quote is never closed")
        if layout.end == 0:
            self.rest = data
            return None
        _check_text(data[: layout.end], self.line)
        layout.check_quotes(delimiter, self.line)
        starts, ends = layout.starts, layout.ends
        lines = self.line + layout.lines_before_all(starts)
        for row in np.flatnonzero(layout.bytes[starts] == BOM[0]):
            if data.startswith(BOM, int(starts[row])) and not self.is_list:
                raise CsvFault(f"line {lines[row]}: a byte order mark inside the file: are these two files in one?")
        delimiters = layout.outside(np.flatnonzero(layout.bytes == delimiter))
        first = np.searchsorted(delimiters, starts)
        fields = np.searchsorted(delimiters, ends) - first + 1
        body: bytes = data[: layout.end]
        if len(fields) and (int(fields.min()) != header.width or int(fields.max()) != header.width):
            body, kept = self._trimmed(layout, delimiters, first, fields, lines, header)
            lines = lines[kept]
        self.line += layout.lines_before(layout.end)
        self.rest = data[layout.end :]
        if not len(lines):
            return None
        return TextRows(self._cut(body, header, lines), lines)

    def _trimmed(
        self,
        layout: _Layout,
        delimiters: Positions,
        first: Positions,
        fields: Positions,
        lines: Positions,
        header: _Header,
    ) -> tuple[bytes, npt.NDArray[np.bool_]]:
        """The rows without the fields beyond the header's, which have to be empty, and which rows are left."""
        few = np.flatnonzero(fields < header.width)
        many = np.flatnonzero(fields > len(header.names))
        if len(many):
            filler = np.isin(layout.bytes, (ord(self.delimiter), QUOTE, SPACE))
            filled = np.concatenate(([0], np.cumsum(~filler)))
            surplus = delimiters[first[many] + len(header.names) - 1]
            many = many[filled[layout.ends[many]] > filled[surplus]]
        wrong = sorted([*few[:1].tolist(), *many[:1].tolist()])
        if wrong:
            row = wrong[0]
            counted = f"{fields[row]} field{'s' if fields[row] != 1 else ''}"
            raise CsvFault(f"line {lines[row]}: {counted}, where the header has {len(header.names)}")
        long = np.flatnonzero(fields > header.width)
        cuts = delimiters[first[long] + header.width - 1]
        change = np.zeros(layout.end + 1, np.int8)
        change[cuts] += 1
        change[layout.ends[long]] -= 1
        kept_bytes = np.cumsum(change[:-1], dtype=np.int8) == 0
        kept = np.ones(len(fields), np.bool_)
        kept[long] = cuts > layout.starts[long]  # a row of one field that is empty is no row
        return layout.bytes[: layout.end][kept_bytes].tobytes(), kept

    def _cut(self, body: bytes, header: _Header, lines: Positions) -> dict[str, pa.ChunkedArray]:
        from pyarrow import csv as arrow_csv

        names = [f"field_{number}" for number in range(header.width)]
        wanted = {ours: names[position] for ours, position in header.wanted.items()}
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(body),
                read_options=arrow_csv.ReadOptions(
                    column_names=names, use_threads=False, block_size=max(len(body) + 1, 1024)
                ),
                parse_options=arrow_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                    include_columns=list(dict.fromkeys(wanted.values())),
                ),
            )
        except pa.ArrowInvalid:
            table = None
        if table is None or len(table) != len(lines):
            raise CsvFault(f"line {lines[0]}: the rows from here on cannot be told apart")
        return {ours: table[theirs] for ours, theirs in wanted.items()}


class _Layout:
    """Where the rows of a piece of CSV begin and end; a piece begins outside quotes."""

    def __init__(self, data: bytes, final: bool) -> None:
        self.bytes = np.frombuffer(data, np.uint8)
        has_returns = b"\r" in data
        breaks = np.flatnonzero((self.bytes == LF) | (self.bytes == CR) if has_returns else self.bytes == LF)
        self.quotes: Positions = np.flatnonzero(self.bytes == QUOTE) if b'"' in data else np.empty(0, np.int64)
        self.odd_quotes = bool(len(self.quotes) % 2)
        if has_returns:
            # A return before a line feed ends no line of its own.
            following = np.append(self.bytes[1:], 0)[breaks]
            self.line_ends: Positions = breaks[(self.bytes[breaks] == LF) | (following != LF)]
        else:
            self.line_ends = breaks
        borders = self.outside(breaks)
        if not final and len(borders) and borders[-1] == len(data) - 1 and data[-1] == CR:
            borders = borders[:-1]  # a line feed may follow
        starts = np.concatenate(([0], borders + 1))
        if final:
            ends = np.append(borders, len(data))
            self.end = len(data)
        else:
            ends, starts = borders, starts[:-1]
            self.end = int(borders[-1]) + 1 if len(borders) else 0
        filled = ends > starts
        self.starts: Positions = starts[filled]
        self.ends: Positions = ends[filled]

    def outside(self, positions: Positions) -> Positions:
        """Those positions that lie in no quotes."""
        if not len(self.quotes):
            return positions
        found: Positions = positions[np.searchsorted(self.quotes, positions) % 2 == 0]
        return found

    def lines_before(self, position: int) -> int:
        """How many lines end before a position."""
        return int(np.searchsorted(self.line_ends, position))

    def lines_before_all(self, positions: Positions) -> Positions:
        """:meth:`lines_before` of many."""
        lines: Positions = np.searchsorted(self.line_ends, positions)
        return lines

    def check_quotes(self, delimiter: int, line: int) -> None:
        """Raises :class:`CsvFault` where a quote neither opens nor closes a field nor is doubled."""
        if not len(self.quotes):
            return
        quotes = self.quotes[self.quotes < self.end]
        opening, closing = quotes[0::2], quotes[1::2]
        before = np.where(opening > 0, self.bytes[opening - 1], LF)
        padded = np.append(self.bytes[: self.end], LF)
        after = padded[closing + 1]
        allowed = (delimiter, LF, CR, QUOTE)
        wrong = np.concatenate((opening[~np.isin(before, allowed)], closing[~np.isin(after, allowed)]))
        if len(wrong):
            raise CsvFault(f"line {line + self.lines_before(int(wrong.min()))}: a quote inside a field")


def _without_spaces(data: bytes, delimiter: int) -> bytes:
    """A piece of CSV without the spaces that follow delimiters and line ends outside quotes."""
    values = np.frombuffer(data, np.uint8)
    spaces = values == SPACE
    quotes = np.flatnonzero(values == QUOTE)
    places = np.arange(len(values))
    if len(quotes):
        spaces &= np.searchsorted(quotes, places) % 2 == 0
    before = np.maximum.accumulate(np.where(spaces, -1, places))
    follows = np.isin(values[np.maximum(before, 0)], (delimiter, LF, CR)) | (before < 0)
    kept: bytes = values[~(spaces & follows)].tobytes()
    return kept


def _check_text(data: bytes, line: int) -> None:
    """Raises :class:`CsvFault` for bytes that are no UTF-8 and for NUL."""

    def line_of(position: int) -> int:
        head = data[:position]
        return line + head.count(b"\n") + head.count(b"\r") - head.count(b"\r\n")

    if (place := data.find(b"\0")) >= 0:
        raise CsvFault(f"line {line_of(place)}: a NUL byte; is it text?")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CsvFault(f"line {line_of(error.start)}: it is not UTF-8") from None


def _decoded(record: bytes, line: int) -> str:
    _check_text(record, line)
    return record.decode("utf-8")


def _fields(record: str, delimiter: str, skip_spaces: bool = False) -> list[str]:
    return next(csv.reader(io.StringIO(record, newline=""), delimiter=delimiter, skipinitialspace=skip_spaces), [])


def _chunks(file: IO[bytes], packing: str | None, max_unpacked_bytes: int) -> Iterator[bytes]:
    """The content of a file, unpacked, a piece at a time; counts while it unpacks."""
    if packing is None:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
        return
    stream: Any = gzip.GzipFile(fileobj=file) if packing == "gzip" else pa.CompressedInputStream(file, "zstd")
    unpacked = 0
    while True:
        try:
            chunk = stream.read(CHUNK_BYTES)
        except OSError as error:
            if error.errno is not None or isinstance(error, gzip.BadGzipFile):
                raise
            raise CsvFault("its packed content is damaged or cut off") from error
        if not chunk:
            return
        unpacked += len(chunk)
        if unpacked > max_unpacked_bytes:
            raise CsvFault(f"it unpacks to more than max_unpacked_bytes ({max_unpacked_bytes})")
        yield bytes(chunk)
