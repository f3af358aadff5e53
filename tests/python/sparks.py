"""A Spark session for tests, or a skip that says what is missing."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rapport.spark import SparkConnection
from rapport.spark.errors import keep_quiet
from rapport.spark.java import SparkSessionError, check_java


def why_no_spark() -> str | None:
    """What is missing on this machine, and how to get it."""
    for package in ("pyspark", "sqlglot", "dbt.adapters.spark"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed here: `make test-spark` makes an environment of its own"
    try:
        check_java()
    except SparkSessionError as error:
        return str(error)
    return None


def start(folder: Path) -> Any:
    """A session whose tables lie in a folder of its own."""
    from pyspark.sql import SparkSession

    keep_quiet()
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.driver.host": "localhost",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.heartbeatInterval": "1h",
        "spark.network.timeout": "24h",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/metastore;create=true",
        "spark.driver.extraJavaOptions": "-Dderby.stream.error.file=/dev/null",
    }
    builder = SparkSession.builder.master("local[2]").appName("rapport-tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def connect(session: Any) -> SparkConnection:
    def run(statement: str) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
        frame = session.sql(statement)
        columns = [(field.name, field.dataType.simpleString()) for field in frame.schema.fields]
        return columns, [tuple(row) for row in frame.collect()]

    return SparkConnection(run, is_session=True)


@pytest.fixture(scope="session")
def spark_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    reason = why_no_spark()
    if reason:
        pytest.skip(f"Spark is not tested: {reason}")
    session = start(tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()


@pytest.fixture
def spark(spark_session: Any) -> SparkConnection:
    return connect(spark_session)
