"""Errors of DuckDB and of Python models, without the content of a cell.

DuckDB quotes the value that it stumbled over, and dbt writes an error's text to the terminal, to ``dbt.log`` and to
``run_results.json``. Everything that dbt-duckdb executes passes two places, its cursor and its runner of Python models;
:func:`keep_errors_clean` puts itself into both, so that what comes out of them can be shown anywhere.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

import duckdb
from dbt.adapters.duckdb.environments import local
from dbt_common.exceptions import DbtBaseException, DbtRuntimeError

from rapport.messages import escape_lines

RAISED_HERE = re.compile(r"\AInvalid Input Error: (gate \w+ is closed|\w+: a column that its contract calls not null )")
"""What this project's own SQL says by ``raise_error``: it holds keys and no answers."""

NOT_COMMITTED = re.compile(r"\ATransactionContext Error: Failed to commit: (Could not|Cannot|Failed to) \w+ ")
"""A commit that failed at a file; one that fails at a constraint quotes a key."""

ABOUT_THE_MACHINE = ("IO Error", "Out of Memory Error", "Permission Error", "Interrupt Error", "Connection Error")
"""Errors about files, memory and locks; no part file is read by a reader of DuckDB's that quotes its content."""

OWN_PACKAGES = ("rapport", "dbt_rapport", "reproduction")
FRAMES = 3
"""How many places in the code are named for an error that is not this project's own."""


def clean_text(error: BaseException) -> str:
    """The text of an error without what may come from a row; keys stay in messages of this project."""
    from rapport.audit.suites import without_values

    text = str(error)
    if isinstance(error, DbtBaseException) or type(error).__module__.partition(".")[0] in OWN_PACKAGES:
        return text
    if isinstance(error, OSError):
        return text
    is_shown = RAISED_HERE.match(text) or NOT_COMMITTED.match(text) or text.startswith(ABOUT_THE_MACHINE)
    if isinstance(error, duckdb.Error) and is_shown:
        return text
    return without_values(text)


def clean_error(error: duckdb.Error) -> duckdb.Error:
    """The same error with :func:`clean_text`."""
    return type(error)(clean_text(error))


def describe_failure(error: BaseException) -> str:
    """Why a Python model failed; of an error that is not this project's own also where."""
    module = type(error).__module__.partition(".")[0]
    text = escape_lines(f"{type(error).__name__}: {clean_text(error)}")
    if module in OWN_PACKAGES or isinstance(error, DbtBaseException | duckdb.Error | OSError):
        return text
    places = [
        f"  at {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    return "\n".join([text, *places[-FRAMES:]])


def keep_errors_clean() -> None:
    """Let dbt-duckdb's cursor and its runner of Python models raise clean errors only.

    A second call changes nothing.
    """
    cursor: Any = local.DuckDBCursorWrapper
    environment: Any = local.LocalEnvironment
    if getattr(cursor, "raises_clean_errors", False):
        return
    cursor.raises_clean_errors = True
    cursor.execute = _clean(cursor.execute)
    for name in ("fetchall", "fetchone", "fetchmany"):
        setattr(cursor, name, _clean(_forwarded(name)))
    run_model: Callable[..., None] = environment.run_python_job

    def run_python_job(*arguments: Any, **named: Any) -> None:
        try:
            run_model(*arguments, **named)
        except DbtRuntimeError as error:
            # dbt-duckdb formats the traceback of what it caught, message and all.
            cause = error.__context__ or error
            raise DbtRuntimeError(f"Python model failed: {describe_failure(cause)}") from None

    environment.run_python_job = staticmethod(run_python_job)


def _forwarded(name: str) -> Callable[..., Any]:
    def forwarded(wrapper: Any, *arguments: Any) -> Any:
        return getattr(wrapper._cursor, name)(*arguments)

    return forwarded


def _clean(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def clean(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except duckdb.Error as error:
            raise clean_error(error) from None
        except UnicodeDecodeError:
            raise DbtRuntimeError("a text is not UTF-8") from None

    return clean
