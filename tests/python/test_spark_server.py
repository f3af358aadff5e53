"""A build through a Thrift server: the same marts, and one build at a time in a metastore that others reach, too."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MARTS, ROOT, Outcome, Warehouse
from spark_house import Rows, SparkHouse, differences, marts_on_duckdb, to_the_last_bit
from sparks import why_no_spark

MISSING = why_no_spark()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"Spark is not tested: {MISSING}")

PROFILE = """
rapport:
  target: spark
  outputs:
    spark: {{type: spark, method: thrift, host: "{host}", port: {port}, schema: default, threads: 1, user: rapport}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def dbt(folder: Path, host: str, port: int, raw: Path, *arguments: str, **environment: str) -> Outcome:
    """dbt in a process of its own, by a profile that names a server."""
    (folder / "profiles.yml").write_text(PROFILE.format(host=host, port=port), encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "--no-use-colors", *arguments),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        ],
        cwd=ROOT,
        env={
            **SparkHouse(folder).environment,
            **{"DBT_PROFILES_DIR": str(folder), "RAPPORT_RAW": str(raw), **environment},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode == 0, done.stdout + done.stderr)


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
def test_a_wrong_host_is_one_message(tmp_path: Path, small_export: Path, host: str) -> None:
    outcome = dbt(tmp_path, host, free_port(), small_export, "run")
    assert not outcome.success
    assert "Spark's server does not answer: check host, port and token of the profile" in outcome.output
    assert "Traceback" not in outcome.output


class Server:
    """Spark's own Thrift server, with a metastore of its own."""

    def __init__(self, folder: Path) -> None:
        import pyspark

        self.port = free_port()
        home = Path(pyspark.__file__).parent
        options = {
            "spark.master": "local[2]",
            "spark.driver.memory": "2g",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "4",
            # What a build sets whatever a server says.
            "spark.sql.ansi.enabled": "false",
            "spark.sql.session.timeZone": "America/New_York",
            # A machine that has slept does not take its own session for lost.
            "spark.executor.heartbeatInterval": "1h",
            "spark.network.timeout": "24h",
            "spark.sql.warehouse.dir": str(folder / "tables"),
            "spark.sql.legacy.allowNonEmptyLocationInCTAS": "true",
            "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/metastore;create=true",
            "spark.hadoop.hive.server2.thrift.port": str(self.port),
            "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
        }
        given = [word for name, value in options.items() for word in ("--conf", f"{name}={value}")]
        self._said = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(str(home / "bin" / "spark-class"), "org.apache.spark.deploy.SparkSubmit", *given),
                *("--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "spark-internal"),
                *("--hiveconf", f"hive.server2.thrift.port={self.port}"),
                *("--hiveconf", "hive.server2.thrift.bind.host=127.0.0.1"),
            ],
            env={
                **os.environ,
                "SPARK_HOME": str(home),
                "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m",
            },
            cwd=folder,
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(self.port, self._process, folder / "server.log")
        except BaseException:
            self.end()
            raise

    def query(self, sql: str) -> tuple[list[str], Rows]:
        """Columns and rows, with the types that a session gives them."""
        from pyhive import hive

        from rapport.spark import SparkConnection

        with hive.connect("127.0.0.1", self.port, username="rapport").cursor() as cursor:

            def run(statement: str) -> tuple[list[tuple[str, str]], list[tuple[object, ...]]]:
                cursor.execute(statement)
                columns = [(str(column[0]), str(column[1])) for column in cursor.description or []]
                return columns, [tuple(row) for row in cursor.fetchall()] if columns else []

            found = SparkConnection(run).run(sql)
            return [column[0] for column in found.description], found.fetchall()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._said.close()


class Metastore:
    """Hive's own metastore server, whose jars pyspark carries."""

    def __init__(self, folder: Path) -> None:
        import pyspark

        self.port = free_port()
        options = {
            "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/metastore;create=true",
            "datanucleus.schema.autoCreateAll": "true",
            "hive.metastore.schema.verification": "false",
            "hive.metastore.warehouse.dir": str(folder / "tables"),
        }
        java = Path(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
        self._said = (folder / "metastore.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(str(java), "-XX:TieredStopAtLevel=1", "-Xmx512m", "-Dhive.async.log.enabled=false"),
                *("-cp", f"{Path(pyspark.__file__).parent}/jars/*", "org.apache.hadoop.hive.metastore.HiveMetaStore"),
                *("-p", str(self.port)),
                *(word for name, value in options.items() for word in ("--hiveconf", f"{name}={value}")),
            ],
            cwd=folder,
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(self.port, self._process, folder / "metastore.log")
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._said.close()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until something listens at the port."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            time.sleep(0.5)
    raise AssertionError("the server did not begin to listen")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.end()


@pytest.mark.long
def test_a_build_through_a_server_gives_the_same_marts(server: Server, built: Warehouse, tmp_path: Path) -> None:
    first = dbt(tmp_path, "127.0.0.1", server.port, built.raw, "run")
    assert first.success, first.output
    marts = {name: to_the_last_bit(*server.query(f"select * from marts.{name}")) for name in MARTS}
    assert differences(marts, marts_on_duckdb(built)) == []
    _, before = server.query("select build_id from ops.current_build")

    # Another build holds the metastore: this one is refused, and neither begins nor ends anything.
    server.query(
        "create view ops.build_in_progress as select 'another' as build_id, '2026-11-28 12:00:00' as started_at"
    )
    _, builds = server.query("select count(*) from ops.history_builds")
    refused = dbt(tmp_path, "127.0.0.1", server.port, built.raw, "run")
    assert not refused.success
    assert "build another, begun at 2026-11-28 12:00:00 UTC, has not ended; nothing was changed" in refused.output
    assert "RAPPORT_TAKE_OVER=another lets this build take its place" in refused.output
    assert server.query("select build_id from ops.build_in_progress")[1] == [("another",)]
    assert server.query("select count(*) from ops.history_builds")[1] == builds
    assert server.query("select build_id from ops.current_build")[1] == before

    taken = dbt(tmp_path, "127.0.0.1", server.port, built.raw, "run", RAPPORT_TAKE_OVER="another")
    assert taken.success, taken.output
    assert server.query("select build_id from ops.current_build")[1] != before
    assert ("build_in_progress",) not in [row[1:2] for row in server.query("show tables in ops")[1]]


@pytest.mark.long
def test_two_sessions_at_one_metastore_keep_one_another_out(built: Warehouse, tmp_path: Path) -> None:
    """Two builds at once, each in a session of its own: one publishes, the other changes nothing."""
    metastore = Metastore(tmp_path)
    shared = {"RAPPORT_SPARK_METASTORE": f"thrift://127.0.0.1:{metastore.port}"}
    house = SparkHouse(tmp_path)
    house.environment |= shared
    outcomes: list[Outcome] = []
    try:
        building = threading.Thread(target=lambda: outcomes.append(house.dbt(built.raw, "run")))
        building.start()
        while not (house.warehouse / "tables" / "ops.db" / "history_builds").exists():
            assert building.is_alive(), outcomes
            time.sleep(0.1)
        # The first one holds the metastore.
        refused = in_a_session(tmp_path / "another", built.raw, **shared)
        assert building.is_alive(), "both at once"
        building.join()
        assert not refused.success
        assert re.search(r"build [0-9a-f-]{36}, begun at .* UTC, has not ended; nothing was changed", refused.output)
        assert "Traceback" not in refused.output
        assert outcomes[0].success, outcomes[0].output
        assert differences(house.marts(), marts_on_duckdb(built)) == []
        assert house.query("select build_number, status from ops.builds") == [(1, "published")]
        assert ("build_in_progress",) not in [row[1:2] for row in house.query("show tables in ops")]
    finally:
        house.end()
        metastore.end()


def test_a_metastore_that_does_not_answer_is_one_message(tmp_path: Path, small_export: Path) -> None:
    outcome = in_a_session(tmp_path, small_export, RAPPORT_SPARK_METASTORE=f"thrift://127.0.0.1:{free_port()}")
    assert not outcome.success
    assert (
        "the metastore cannot be opened: if RAPPORT_SPARK_METASTORE is set, check its host and port" in outcome.output
    )
    assert "org.apache" not in outcome.output
    assert "Traceback" not in outcome.output


def in_a_session(folder: Path, raw: Path, **environment: str) -> Outcome:
    """`dbt run` in a process and a session of its own."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "run", "--target", "spark"),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        ],
        cwd=ROOT,
        env={**SparkHouse(folder).environment, "RAPPORT_RAW": str(raw), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode == 0, done.stdout + done.stderr)
