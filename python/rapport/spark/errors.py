"""Errors of Spark as those of DuckDB, by which the code tells them apart, and in words for whoever must act.

A message of Spark's quotes the value that it stumbled over. What is raised here names tables, columns and Spark's own
name of the error, and no value.
"""

from __future__ import annotations

import logging
import re
import traceback

import duckdb

CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]+)((?:\.[A-Z0-9_]+)*)\]")
"""How every message of Spark's begins, from Spark 3.4 on."""
NAMES = re.compile(r"`[^`\n]+`(?:\.`[^`\n]+`)*")
OWN_WORDS = re.compile(r"\[USER_RAISED_EXCEPTION\] (.*?)(?: SQLSTATE: \w{5}|\Z)", re.DOTALL)

MISSING_TABLE = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "VIEW_NOT_FOUND", "ROUTINE_NOT_FOUND")
MISSING_COLUMN = ("UNRESOLVED_COLUMN", "UNRESOLVED_FIELD", "UNRESOLVED_ROUTINE", "FIELD_NOT_FOUND")
NOT_SQL = ("PARSE_SYNTAX_ERROR", "PARSE_EMPTY_STATEMENT")
NO_CAST = ("CAST_INVALID_INPUT", "CAST_OVERFLOW", "CANNOT_PARSE_TIMESTAMP", "INVALID_ARRAY_INDEX")
NO_FORMAT = ("DATA_SOURCE_NOT_FOUND", "UNSUPPORTED_TABLE_TYPE", "UNSUPPORTED_DATA_SOURCE_FOR_DIRECT_QUERY")
NO_RIGHT = re.compile(
    r"AccessControlException|AccessDenied|PERMISSION_DENIED|INSUFFICIENT_PERMISSIONS|Permission denied|does not have"
    r" privilege|403 Forbidden|Mkdirs failed to create|unable to create one|Unable to create database path"
    r"|Unable to clear (?:output|partition) directory"
)
"""Of a folder on this machine that must not be written Spark says only that nothing could be made in it."""
PLACE = re.compile(
    r"(?:AccessDeniedException: |FileNotFoundException: |Mkdirs failed to create |clear \w+ directory "
    r"|MetaException\(message:|database path |inode=\"?)(?:\w+:)?(/[^\s:,\"(=]+)"
)
"""The file or folder that such an error is about, up to where a name could hold a value (``key=value``)."""
NO_SERVER = re.compile(
    r"Connection refused|TTransportException|Could not connect|Name or service not known|timed out|nodename nor"
    r" servname",
    re.IGNORECASE,
)
NO_METASTORE = re.compile(r"Unable to instantiate [\w.$]*MetaStoreClient|Could not connect to meta store")
NO_MEMORY = re.compile(r"OutOfMemoryError|Java heap space|GC overhead limit|UNABLE_TO_ACQUIRE_MEMORY")
NO_SPACE = re.compile(r"No space left on device|DiskSpaceExceeded|Disk quota exceeded")
JAVA_HAS_ENDED = re.compile(r"Py4JNetworkError|Answer from Java side is empty")
NO_JAVA = re.compile(r"JAVA_GATEWAY_EXITED|Java gateway process exited|JAVA_HOME is not set|Unable to locate a Java")
NO_CLASS = re.compile(r"ClassNotFoundException|NoClassDefFoundError")
OLD_JAVA = re.compile(r"UnsupportedClassVersionError")


class ExplainedError(duckdb.IOException):
    """An error about the machine, the connection or rights in this project's words, which quote no value."""


def as_duckdb(error: BaseException) -> duckdb.Error:
    """The error that DuckDB would raise: its class, and a text that quotes no value."""
    if isinstance(error, duckdb.Error):
        return error
    text = str(error)
    own = OWN_WORDS.search(text)
    if own:
        return duckdb.InvalidInputException(f"Invalid Input Error: {own[1]}")
    name, condition = condition_of(text)
    named = NAMES.search(text) if name else None  # the first name is that of what is wrong, others are proposals
    names = named[0].replace("`", "") if named else ""
    if name in MISSING_TABLE:
        return duckdb.CatalogException(f"Catalog Error: Table with name {names} does not exist")
    if name in MISSING_COLUMN:
        return duckdb.BinderException(f"Binder Error: {names} not found ({condition})")
    if name in NOT_SQL:
        return duckdb.ParserException(f"Parser Error: Spark cannot parse the query ({condition})")
    if name in NO_CAST:
        return duckdb.ConversionException(f"Conversion Error: Spark cannot convert a value ({condition})")
    known = explained(error)
    if known:
        return ExplainedError(f"IO Error: {known}")
    if name and type(error).__name__ in ("AnalysisException", "DbtDatabaseError") and names:
        return duckdb.BinderException(f"Binder Error: Spark cannot resolve the query ({condition})")
    return duckdb.Error(f"Spark Error: {condition or type(error).__name__}")


def condition_of(text: str) -> tuple[str, str]:
    """Spark's name of an error, without and with what makes it more precise; empty for a text that has none."""
    found = CONDITION.search(text)
    return (found[1], found[1] + found[2]) if found else ("", "")


def explained(error: BaseException) -> str | None:
    """What is missing and what to do, for an error about the machine, the connection or rights; ``None`` for others."""
    text = f"{type(error).__name__}: {error}"
    name, condition = condition_of(text)
    tables = NAMES.findall(text)
    table = tables[0].replace("`", "") if tables else "a table"
    if NO_JAVA.search(text):
        return (
            "Spark needs Java, and none was found by JAVA_HOME or PATH: install a Java runtime of version 17 or later"
            " (Debian: apt-get install openjdk-17-jre-headless)"
        )
    if OLD_JAVA.search(text):
        return "this Java is too old for Spark: install a Java runtime of version 17 or later and point JAVA_HOME to it"
    if NO_METASTORE.search(text):
        return (
            "the metastore cannot be opened: if RAPPORT_SPARK_METASTORE is set, check its host and port and that it"
            " runs; if not, the folder RAPPORT_SPARK_WAREHOUSE"
        )
    if JAVA_HAS_ENDED.search(text) or (isinstance(error, ConnectionError) and _is_of_a_session(error)):
        return (
            "Java, in which Spark's session runs, has ended: the machine may have had too little memory for it. Give"
            " the session less (RAPPORT_SPARK_MEMORY) or the machine more"
        )
    if NO_MEMORY.search(text):
        return "Spark has run out of memory: give the session more (RAPPORT_SPARK_MEMORY), or the cluster"
    if NO_SPACE.search(text):
        return "the disk of Spark's tables or of its temporary files is full: make room, or name another folder"
    if NO_RIGHT.search(text):
        place = PLACE.search(text)
        named = place[1].partition("/_temporary")[0] if place and not tables else table
        return f"Spark has no permission for {named}: ask its owner for the right to read or write it"
    if name in NO_FORMAT or NO_CLASS.search(text):
        return (
            f"{table} is of a format that this Spark cannot read ({condition or 'a class is missing'}): add the jar of"
            " that format to the session or the cluster (spark.jars.packages), or offer the table as Parquet"
        )
    if NO_SERVER.search(text):
        return "Spark's server does not answer: check host, port and token of the profile, and that the cluster runs"
    if name == "TABLE_OR_VIEW_ALREADY_EXISTS" and "build_in_progress" in text:
        return "another build has begun at the same moment; nothing was changed. Wait for it"
    if name == "LOCATION_ALREADY_EXISTS":
        return (
            f"{table} cannot be made, because its folder holds files of no table: remove them, or end the other build"
        )
    return None


def _is_of_a_session(error: BaseException) -> bool:
    """Whether an error comes from the way to this process's own Java, and not to a server."""
    return any("py4j" in frame.filename for frame in traceback.extract_tb(error.__traceback__))


THRIFT = "thrift.transport.TSocket"
"""Logs each attempt to connect in a line of its own."""


def keep_quiet() -> None:
    """Let Spark's Python side log nothing: it writes whole queries and the values that they stumbled over."""
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger", "py4j", "pyspark", THRIFT):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
