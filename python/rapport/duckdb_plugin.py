"""dbt-duckdb plugin: opens the database file, and tells SQL what only the process knows.

Before the file is opened its folder is made and a lock is waited for, and a command that writes gives the file the
permissions of ``RAPPORT_FILE_MODE``. Afterwards every cursor has the variables ``rapport_git_revision`` and
``rapport_versions``, and raises errors that quote no value.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.invocation import get_invocation_id

from rapport.engine_errors import clean_text, keep_errors_clean
from rapport.file_modes import FileModeError, set_modes, set_umask
from rapport.messages import escape_controls
from rapport.snapshot import SnapshotError, aside, published_build, settle, snapshot_of
from rapport.warehouse import WarehouseError, WarehouseInUse, open_when_free

PACKAGES = ("rapport", "dbt-core", "great-expectations", "numpy", "pandas", "scipy")
"""What computes on any engine."""
THREADS = "RAPPORT_THREADS"
"""How many threads DuckDB takes; without it all cores."""
BUILDS = ("build", "run")
WRITING = ("build", "run", "seed", "snapshot", "run-operation", "retry", "clone")
"""Commands that are there to change the database; of the others none changes the permissions of its file."""
SOURCES = Path("models/raw/_raw__sources.yml")


class Plugin(BasePlugin):
    """Named in profiles.yml."""

    _waited: duckdb.DuckDBPyConnection | None = None
    """Holds the file until dbt has opened it, so that nobody comes in between."""

    database: ClassVar[Path | None] = None
    """The file that dbt has opened last."""

    _refused: ClassVar[dict[str, str]] = {}
    """Why the file could not be opened, by dbt's id of the command."""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Before the file is opened: its threads; make its folder, set permissions, wait for the lock."""
        keep_errors_clean()
        if threads := os.environ.get(THREADS):
            if not threads.isdecimal() or int(threads) < 1:
                raise DbtRuntimeError(f"{THREADS} is {threads!r}, and has to be a whole number from 1 on")
            config["threads"] = int(threads)
        if creds.path == ":memory:":
            return
        path = Path(creds.path)
        Plugin.database = path.absolute()
        try:
            set_umask()
            path.parent.mkdir(parents=True, exist_ok=True)
            if command_of_dbt() in WRITING:
                # What a build converts or spills lies beside the file, also after a kill.
                set_modes(Path(f"{path}{ending}") for ending in ("", ".wal", ".reading", ".tmp"))
        except FileModeError as error:
            raise DbtRuntimeError(str(error)) from error
        except OSError as error:
            raise DbtRuntimeError(
                f"{escape_controls(str(path))}: the database cannot be opened: {error.strerror or error}"
            ) from error
        # dbt opens the file once for every schema: a command that has waited in vain does not wait again.
        command = get_invocation_id()
        if command in self._refused:
            raise DbtRuntimeError(self._refused[command])
        try:
            self._waited = open_when_free(path, config=config)
        except WarehouseError as error:
            unchanged = "; nothing was changed" if isinstance(error, WarehouseInUse) else ""
            self._refused[command] = f"{error}{unchanged}"
            raise DbtRuntimeError(self._refused[command]) from error

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Once per process: look at what the variables say."""
        if self._waited is not None:
            self._waited.close()  # dbt holds the file now, through the same instance of DuckDB
        self._variables = {
            "rapport_git_revision": git_revision(),
            "rapport_versions": versions("dbt-duckdb", "duckdb"),
        }
        attach_raw_database(conn)
        if command_of_dbt() in BUILDS and Plugin.database is not None:
            self._variables["rapport_snapshot"] = prepare_snapshot(Plugin.database, published_build(conn))
        if command_of_dbt() == "freshness":
            read_for_freshness(conn)

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Every cursor has its own variables."""
        for name, value in self._variables.items():
            literal = value.replace("'", "''")
            cursor.execute(f"set variable {name} = '{literal}'")


RAW_DATABASE, ATTACHED_AS = "RAPPORT_RAW_DATABASE", "source"
"""Another database, of which var ``raw_schema`` names a schema: ``source.main`` say."""


def attach_raw_database(connection: duckdb.DuckDBPyConnection) -> None:
    """Attach, to be read only, the database that ``RAPPORT_RAW_DATABASE`` names, if any.

    It is a file of DuckDB's, or what DuckDB's ``attach`` takes for another one: ``postgres:dbname=clinic host=…``,
    ``ducklake:catalog.ducklake``. The extension for that has to be installed: a build fetches nothing.

    Raises :class:`DbtRuntimeError` if it cannot be attached; what stands behind the kind is in no message.
    """
    place = os.environ.get(RAW_DATABASE)
    if not place:
        return
    kind, colon, _ = place.partition(":")
    is_other = bool(colon) and kind.isidentifier() and len(kind) > 1
    shown = f"{kind}:…" if is_other else escape_controls(place)
    if not is_other and not Path(place).is_file():
        raise DbtRuntimeError(f"{RAW_DATABASE} is {shown}: there is no such file; nothing was read")
    try:
        if is_other:
            connection.execute(f"load {kind}")
        literal = place.replace("'", "''")
        connection.execute(f"attach if not exists '{literal}' as {ATTACHED_AS} (read_only)")
    except duckdb.Error as error:
        from rapport.audit.suites import without_values

        why = without_values(str(error))
        install = f'duckdb.connect().install_extension("{kind}")'
        advice = f"; if its extension is missing: python -c 'import duckdb; {install}'" if is_other else ""
        raise DbtRuntimeError(
            f"{RAW_DATABASE} is {shown}: it cannot be attached ({why}){advice}; nothing was read"
        ) from None


def prepare_snapshot(database: Path, published: str | None) -> str:
    """Where this build writes its snapshot of the marts; empty for none. Finishes what a killed build left.

    ``published``: the build that the marts of ``database`` are of.

    Raises :class:`DbtRuntimeError` if the place cannot be used.
    """
    try:
        place = snapshot_of(database)
        if place is None:
            return ""
        place.parent.mkdir(parents=True, exist_ok=True)
        settle(place, database, published)
    except SnapshotError as error:
        raise DbtRuntimeError(f"{error}; nothing was read") from error
    except OSError as error:
        raise DbtRuntimeError(
            f"RAPPORT_MARTS: {escape_controls(str(place))}: its folder cannot be made: {error.strerror or error}"
        ) from error
    return str(aside(place, database, get_invocation_id()))


def command_of_dbt() -> str:
    """The command that runs, ``build`` say; empty outside of dbt."""
    return str(getattr(get_flags(), "WHICH", ""))  # type: ignore[no-untyped-call]


def read_for_freshness(connection: duckdb.DuckDBPyConnection) -> None:
    """Let ``dbt source freshness`` see the export of now, and not the views of the last build.

    Raises :class:`DbtRuntimeError` if a file cannot be read as the export's contract says.
    """
    from rapport.project_vars import check_vars
    from rapport.reading.warehouse import read_into_warehouse

    given = getattr(get_flags(), "VARS", None) or {}  # type: ignore[no-untyped-call]
    raw_schema = check_vars(Path.cwd(), given).values["raw_schema"] or ""
    try:
        verdicts = read_into_warehouse(
            connection,
            get_invocation_id(),
            Path(os.environ.get("RAPPORT_RAW", "demo")),
            os.environ.get("RAPPORT_RAW_FORMAT", "parquet"),
            SOURCES,
            on_bad_rows="quarantine",
            raw_schema=raw_schema,
        )
    except duckdb.Error as error:
        raise DbtRuntimeError(f"the export cannot be read, so its age is not known: {clean_text(error)}") from None
    broken = [row for row in verdicts.to_pylist() if row["severity"] == "critical" and not row["passed"]]
    if broken:
        raise DbtRuntimeError(
            "the export cannot be read, so its age is not known:\n  "
            + "\n  ".join(f"{row['table_name']}: {row['rule']} - {row['detail']}" for row in broken)
        )


def versions(*of_the_engine: str) -> str:
    """The versions of Python and of the packages that compute, those of the engine after dbt's."""
    names = [*PACKAGES[:2], *of_the_engine, *PACKAGES[2:]]
    return "; ".join(
        [f"python {platform.python_version()}", *(f"{name} {importlib.metadata.version(name)}" for name in names)]
    )


def git_revision() -> str:
    """The revision of the project, with ``+changes`` if files differ from it; ``unknown`` outside a repository."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip()
