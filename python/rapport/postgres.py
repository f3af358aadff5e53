"""Command line: the snapshot of the marts as a schema of a PostgreSQL database, ``python -m rapport.postgres``.

Reads the snapshot (docs/serving.md), so no build waits for it, and writes its tables with SQLAlchemy and ``COPY`` into
a schema aside. One transaction renames the schemas: a reader finds all old tables or all new ones. The old schema is
dropped afterwards. Needs the optional dependencies ``postgres``.

Exit codes: 0 the schema is new and the old one is gone; 1 it is not; 2 it could not be tried.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.schema import CreateSchema

from rapport.messages import escape_lines
from rapport.snapshot import SnapshotError, snapshot_of

DSN = "RAPPORT_POSTGRES"
"""Variable with the address of the database, which may hold a password: no message and no list of processes has it."""
SCHEMA = "marts"
ROWS_AT_ONCE = 10_000
TYPES: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "VARCHAR": sa.Text,
    "BIGINT": sa.BigInteger,
    "INTEGER": sa.Integer,
    "DOUBLE": sa.Double,
    "BOOLEAN": sa.Boolean,
    "DATE": sa.Date,
    "TIMESTAMP": sa.DateTime,
}


class ServingError(Exception):
    """The marts are not served, and why."""

    exit_code = 1


class Impossible(ServingError):
    """It could not be tried."""

    exit_code = 2


def engine_of(dsn: str) -> sa.Engine:
    """Return an engine of psycopg for an address such as ``postgresql://user@host/database``.

    Raises :class:`Impossible` if it is none, or if psycopg is not installed.
    """
    try:
        url = sa.make_url(dsn)
    except sa.exc.ArgumentError as error:
        raise Impossible(f"{DSN} is no address of the form postgresql://user@host/database") from error
    if url.get_backend_name() != "postgresql":
        raise Impossible(f"{DSN} is an address of {url.get_backend_name()}, and has to be one of postgresql")
    try:
        return sa.create_engine(url.set(drivername="postgresql+psycopg"))
    except ModuleNotFoundError as error:
        raise Impossible("psycopg is not installed: pip install -r requirements-postgres.lock") from error


def serve(snapshot: Path, engine: sa.Engine, readers: Sequence[str] = (), schema: str = SCHEMA) -> list[str]:
    """Put the tables of a snapshot in the place of a schema; returns their names.

    Args:
        snapshot: the file (:mod:`rapport.snapshot`).
        engine: the database.
        readers: roles that may read the new tables.
        schema: the schema's name.

    Raises:
        Impossible: there is no snapshot, or the database cannot be reached.
        ServingError: the tables cannot be written, and the schema is the old one; or it is new, and the old one, aside,
            cannot be dropped because something outside of it depends on it.
    """
    if not snapshot.is_file():
        raise Impossible(f"no snapshot {snapshot}; build first")
    new, old = f"{schema}__new", f"{schema}__old"
    with closing(duckdb.connect()) as source:
        try:
            source.execute("attach ? as served (read_only)", [str(snapshot)])
        except duckdb.Error as error:
            raise Impossible(f"{snapshot} cannot be read as a snapshot of the marts") from error
        metadata = _described(source, new)
        # What a cursor of psycopg raises itself is not SQLAlchemy's.
        errors: tuple[type[Exception], ...] = (sa.exc.SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        try:
            with engine.begin() as connection:
                # Two at once would write into one schema.
                connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('rapport.postgres'))"))
                _drop_left(connection, new, old)
                connection.execute(CreateSchema(new))
                metadata.create_all(connection)
                for table in metadata.sorted_tables:
                    _copy(source, connection, table)
                _grant(connection, new, readers)
                if sa.inspect(connection).has_schema(schema):
                    connection.execute(sa.text(f"alter schema {_quoted(schema)} rename to {_quoted(old)}"))
                connection.execute(sa.text(f"alter schema {_quoted(new)} rename to {_quoted(schema)}"))
        except errors as error:
            raise _failure(error) from None
        try:
            with engine.begin() as connection:
                _drop_left(connection, old)
        except errors as error:
            raise ServingError(
                f"schema {schema} is new, but the old one is still there as {old} ({_why(error)}): what depends on it,"
                " a view say, reads old tables; drop that, and serve again"
            ) from None
    return [table.name for table in metadata.sorted_tables]


def _described(source: duckdb.DuckDBPyConnection, schema: str) -> sa.MetaData:
    """Return the tables of a snapshot with types, ``not null`` and comments."""
    metadata = sa.MetaData(schema=schema)
    tables = source.execute(
        "select table_name, comment from duckdb_tables() where database_name = 'served' and schema_name = 'marts'"
        " order by table_name"
    ).fetchall()
    for name, comment in tables:
        columns = source.execute(
            "select column_name, data_type, is_nullable, comment from duckdb_columns()"
            " where database_name = 'served' and schema_name = 'marts' and table_name = ? order by column_index",
            [name],
        ).fetchall()
        if unknown := [f"{column} ({kind})" for column, kind, *_ in columns if kind not in TYPES]:
            raise ServingError(f"{name}: no type of PostgreSQL is known for {', '.join(unknown)}")
        sa.Table(
            name,
            metadata,
            *(
                sa.Column(column, TYPES[kind], nullable=nullable, comment=said, primary_key=False, autoincrement=False)
                for column, kind, nullable, said in columns
            ),
            comment=comment,
        )
    if not tables:
        raise Impossible("the snapshot has no table in schema marts")
    return metadata


def _copy(source: duckdb.DuckDBPyConnection, connection: sa.Connection, table: sa.Table) -> None:
    cursor: Any = connection.connection.cursor()
    columns = ", ".join(_quoted(column.name) for column in table.columns)
    with cursor.copy(f"copy {_quoted(str(table.schema))}.{_quoted(table.name)} ({columns}) from stdin") as copy:
        for row in _rows(source, f"select {columns} from served.marts.{_quoted(table.name)}"):
            copy.write_row(row)


def _rows(source: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    result = source.execute(query)
    while rows := result.fetchmany(ROWS_AT_ONCE):
        yield from rows


def _grant(connection: sa.Connection, schema: str, readers: Sequence[str]) -> None:
    for role in readers:
        connection.execute(sa.text(f"grant usage on schema {_quoted(schema)} to {_quoted(role)}"))
        connection.execute(sa.text(f"grant select on all tables in schema {_quoted(schema)} to {_quoted(role)}"))


def _drop_left(connection: sa.Connection, *asides: str) -> None:
    """Drop the schemas aside, with their tables and nothing that depends on these."""
    for name in asides:
        for table in sa.inspect(connection).get_table_names(name) if sa.inspect(connection).has_schema(name) else ():
            connection.execute(sa.text(f"drop table {_quoted(name)}.{_quoted(table)}"))
        connection.execute(sa.text(f"drop schema if exists {_quoted(name)}"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace(":", "\\:") + '"'


def _why(error: Exception) -> str:
    """Kind and code of an error: its text may hold a value of a row, or the address."""
    original = getattr(error, "orig", error)
    state = getattr(original, "sqlstate", None)
    return f"{type(original).__name__}{f', SQLSTATE {state}' if state else ''}"


def _failure(error: Exception) -> ServingError:
    original = getattr(error, "orig", None)
    if isinstance(error, sa.exc.OperationalError) and getattr(original, "sqlstate", None) is None:
        return Impossible(f"the database cannot be reached ({_why(error)}); {DSN} names it")
    return ServingError(f"schema {SCHEMA} is as it was: its tables cannot be written ({_why(error)})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rapport.postgres", description=__doc__)
    parser.add_argument("--reader", action="append", default=[], metavar="ROLE", help="a role that may read the tables")
    options = parser.parse_args(arguments)
    try:
        if not (dsn := os.environ.get(DSN)):
            raise Impossible(f"{DSN} is not set: the database's address, postgresql://user@host/database")
        place = snapshot_of(Path(os.environ.get("RAPPORT_DB", "warehouse/rapport.duckdb")))
        if place is None:
            raise Impossible("RAPPORT_MARTS is empty: there is no snapshot to serve")
        engine = engine_of(dsn)
        tables = serve(place, engine, options.reader)
    except (ServingError, SnapshotError) as error:
        print(escape_lines(f"rapport.postgres: {error}"), file=sys.stderr)
        return error.exit_code if isinstance(error, ServingError) else 2
    print(f"{len(tables)} tables of {escape_lines(str(place))} are schema {SCHEMA} of {engine.url.database}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
