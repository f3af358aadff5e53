"""Where a build on Spark keeps its tables, and how its session is set.

All settings are environment variables, so that a profile holds no secret and a schedule can set them:

- ``RAPPORT_SPARK_WAREHOUSE``: the folder of the tables and of the metastore (default ``warehouse/spark``);
- ``RAPPORT_SPARK_MASTER``: where Spark computes (default ``local[*]``: all cores of this machine);
- ``RAPPORT_SPARK_MEMORY``: memory of the session, such as ``3g`` (default: half of the machine);
- ``RAPPORT_SPARK_METASTORE``: ``thrift://host:9083`` of a Hive metastore that several processes share (default: Derby
  in the folder).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

WAREHOUSE = "RAPPORT_SPARK_WAREHOUSE"
MASTER = "RAPPORT_SPARK_MASTER"
MEMORY = "RAPPORT_SPARK_MEMORY"
METASTORE = "RAPPORT_SPARK_METASTORE"

SEMANTICS = {
    # A wrong cast or an overflow is an error, and not null.
    "spark.sql.ansi.enabled": "true",
    # Every timestamp of the export is UTC, and has no zone.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.sources.default": "parquet",
}
"""What the SQL of the models rests on: set whatever a profile says, on a session and on a server."""


class SparkSettingError(Exception):
    """A setting that no session can be started with; says which and what is allowed."""


def warehouse_folder() -> Path:
    """The folder of a build's tables and metastore."""
    return Path(os.environ.get(WAREHOUSE, "warehouse/spark")).absolute()


def tables_folder() -> Path:
    """The folder of the tables' files."""
    return warehouse_folder() / "tables"


def reading_folder() -> Path:
    """The folder of what a build converts; it goes when the build ends."""
    return warehouse_folder() / "reading"


def has_metastore_of_its_own() -> bool:
    """Whether the metastore is a file of this machine, which one process at a time can open."""
    return not os.environ.get(METASTORE)


def memory() -> str:
    """Memory of the session in the words of the JVM, such as ``3g``.

    Raises :class:`SparkSettingError` if ``RAPPORT_SPARK_MEMORY`` is none.
    """
    given = os.environ.get(MEMORY, "")
    if not given:
        half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        return f"{max(half // 2**20, 1024)}m"
    if not re.fullmatch(r"[1-9]\d*[mMgG][bB]?", given):
        raise SparkSettingError(f"{MEMORY} is {given!r}, and has to be a size such as 3g or 900m")
    return given.lower().rstrip("b")


def session_options(of_profile: Mapping[str, str]) -> dict[str, str]:
    """The options of a session of this process: those of the project, over them those of the profile.

    Raises :class:`SparkSettingError` for a value that is none.
    """
    folder = warehouse_folder()
    log = Path(__file__).with_name("log4j2.properties")
    options = {
        "spark.master": os.environ.get(MASTER, "local[*]"),
        "spark.app.name": "rapport",
        "spark.driver.memory": memory(),
        "spark.sql.warehouse.dir": str(folder / "tables"),
        "spark.sql.catalogImplementation": "hive",
        "spark.local.dir": str(folder / "spill"),
        # A build is a handful of small queries: no page, no bar, no task for a handful of rows.
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Without a page nobody reads the descriptions of plans, which take a sixth of a small query's time.
        "spark.sql.ui.explainMode": "simple",
        "spark.sql.maxPlanStringLength": "2000",
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        # Spark forgets all but a hundred compiled pieces of queries; a build has several hundred, many of them alike.
        "spark.sql.codegen.cache.maxEntries": "2000",
        # What a killed build has left in a folder of its own does not keep the next one from writing there.
        "spark.sql.legacy.allowNonEmptyLocationInCTAS": "true",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        "spark.driver.extraJavaOptions": " ".join(
            [f"-Dlog4j2.configurationFile={log.as_uri()}", "-Dderby.stream.error.file=/dev/null"]
        ),
    }
    if os.environ.get(MASTER, "local").startswith("local"):
        options |= {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            # A machine that has slept does not take its own session for lost.
            "spark.executor.heartbeatInterval": "1h",
            "spark.network.timeout": "24h",
            "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 2)),
        }
    if has_metastore_of_its_own():
        database = str(folder / "metastore")
        options["spark.hadoop.javax.jdo.option.ConnectionURL"] = f"jdbc:derby:;databaseName={database};create=true"
    else:
        options["spark.hadoop.hive.metastore.uris"] = os.environ[METASTORE]
    return {**options, **of_profile, **SEMANTICS}
