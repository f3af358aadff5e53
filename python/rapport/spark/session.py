"""The Spark session of this process: one Java machine, one metastore, one build at a time.

Before Java is started its folder is made and a lock is waited for, as for DuckDB's file: two sessions on one Derby
metastore end in a page of Java.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from rapport.messages import escape_controls
from rapport.spark.java import SparkSessionError, check_java
from rapport.spark.settings import (
    WAREHOUSE,
    has_metastore_of_its_own,
    session_options,
    tables_folder,
    warehouse_folder,
)
from rapport.warehouse import lock_wait

_session: Any = None
_lock: IO[str] | None = None


def session(of_profile: Mapping[str, str]) -> Any:
    """The session of this process, started when it is first asked for.

    ``of_profile``: the options of dbt's profile. Raises :class:`SparkSessionError`.
    """
    global _session
    if _session is None:
        options = session_options(of_profile)
        check_java()
        lock_warehouse()
        _session = _started(options)
    return _session


def is_started() -> bool:
    """Whether this process has a session."""
    return _session is not None


def lock_warehouse() -> None:
    """Hold the folder of the tables for this process, as soon as no other one does.

    Raises :class:`SparkSessionError` if another process holds it after ``RAPPORT_LOCK_WAIT`` seconds, or if the folder
    cannot be made.
    """
    global _lock
    folder = warehouse_folder()
    shown = escape_controls(str(folder))
    try:
        tables_folder().mkdir(parents=True, exist_ok=True)
        _lock = (folder / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise SparkSessionError(
            f"{WAREHOUSE}: {shown}: the folder of the tables cannot be made: {error.strerror or error};"
            " nothing was read"
        ) from error
    if not has_metastore_of_its_own():
        return
    seconds = lock_wait()
    deadline = time.monotonic() + seconds
    said = False
    while True:
        try:
            fcntl.flock(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            _lock.seek(0)
            holder = _lock.read().strip() or "another process"
            if time.monotonic() >= deadline:
                raise SparkSessionError(
                    f"{shown} is in use by {holder}. Waited {seconds:g} s (RAPPORT_LOCK_WAIT); nothing was changed"
                ) from None
            if not said:
                said = True
                print(
                    f"{shown} is in use by {holder}: waiting for it, up to {seconds:g} s (RAPPORT_LOCK_WAIT)",
                    file=sys.stderr,
                    flush=True,
                )
        time.sleep(0.5)
    _lock.seek(0)
    _lock.truncate()
    _lock.write(f"process {os.getpid()}\n")
    _lock.flush()


def _started(options: Mapping[str, str]) -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in options.items():
        builder = builder.config(name, value)
    with tempfile.TemporaryFile() as said:
        try:
            with _stderr_into(said.fileno()):
                started = builder.enableHiveSupport().getOrCreate()
                started.sparkContext.setLogLevel("OFF")
        except Exception as error:  # whatever Java says
            said.seek(0)
            lines = [*str(error).splitlines(), *said.read().decode(errors="replace").splitlines()]
            telling = [line for line in lines if re.search(r"Error|Exception|Could not|Invalid", line)]
            why = (telling or lines or [type(error).__name__])[0].strip()
            why = re.sub(r'^(?:Exception in thread "\w+" )?[\w.$]+(?:Error|Exception): ', "", why)
            raise SparkSessionError(
                f"the Spark session cannot be started: {escape_controls(why)[:300]}; nothing was read"
            ) from None
    return started


@contextmanager
def _stderr_into(descriptor: int) -> Iterator[None]:
    """Let Java, which keeps the descriptor that it is started with, write elsewhere than to the terminal."""
    sys.stderr.flush()
    terminal = os.dup(2)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
