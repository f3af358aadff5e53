"""The Spark session of this process: one Java machine, one metastore, one build at a time.

Before Java is started its folder is made and a lock is waited for, as for DuckDB's file: two sessions on one Derby metastore
end in a page of Java.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from rapport.messages import escape_controls
from rapport.spark.settings import (
    WAREHOUSE,
    has_metastore_of_its_own,
    session_options,
    tables_folder,
    warehouse_folder,
)
from rapport.warehouse import lock_wait

JAVA_AT_LEAST = 17
HOW_TO_GET_JAVA = (
    "install a JRE 17 or later (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17;"
    " others: adoptium.net), or let JAVA_HOME name it"
)


class SparkSessionError(Exception):
    """No session can be started; says what is missing and what to do."""


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


def check_java() -> None:
    """Look for Java, because pyspark ends without a word of it.

    Raises :class:`SparkSessionError` if there is none, or one that is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home, "bin", "java"))) if home else shutil.which("java")
    if java is None:
        where = f"JAVA_HOME is {escape_controls(home)}, where there is none" if home else "none is on the PATH"
        raise SparkSessionError(f"Spark needs Java, and {where}: {HOW_TO_GET_JAVA}; nothing was read")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    if found is None or int(found.group(1)) < JAVA_AT_LEAST:
        version = found.group(1) if found else "of an unknown version"
        raise SparkSessionError(
            f"Spark needs Java {JAVA_AT_LEAST} or later, and {escape_controls(java)} is {version}:"
            f" {HOW_TO_GET_JAVA}; nothing was read"
        )


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
            f"{WAREHOUSE}: {shown}: the folder of the tables cannot be made: {error.strerror or error}; nothing was read"
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
    try:
        return builder.enableHiveSupport().getOrCreate()
    except Exception as error:  # whatever Java says
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise SparkSessionError(
            f"the Spark session cannot be started: {escape_controls(first[0])[:300]}; nothing was read"
        ) from error
