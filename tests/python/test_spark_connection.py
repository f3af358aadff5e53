"""The connection to Spark answers as DuckDB does: values, types, errors."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from rapport.spark import SparkConnection
from rapport.spark.errors import as_duckdb, explained
from rapport.spark.values import duckdb_type, python_value, spark_literal, spark_type

VALUES = (
    "(values ('a', 1, 1.5::double, timestamp '2021-10-31 02:30:00.000001', true), ('b', 2, null, null, false),"
    " (null, 2, 'nan'::double, timestamp '1969-12-31 23:59:59', null), ('d ''\\n ${x}', -7, 'inf'::double,"
    " timestamp '2100-12-31 00:00:00', true)) as t(k, i, x, m, b)"
)

QUERIES = {
    "values of each type": "select k, i, x, m, b, cast(m as date) as day from {} order by i, k",
    "whole numbers of 128 bits": "select sum(9223372036854775807::hugeint) as s, sum(i) as n from {}",
    "division by zero": "select i / 0 as a, 0 / (i - i) as b, (-i) / (i - i) as c, x / (i - i) as d from {} order by i, k",
    "division of doubles": "select 7 / 2 as a, 1 / 3 as b, 100.0 * sum(i) / count(*) as c, 7 // 2 as d, -7 % 3 as e from {}",
    "decimals are doubles": "select i from {} where abs(x - 1.4999999999) < 1e-9 and i * 0.1 < 0.2",
    "the n smallest": "select min(coalesce(k, '(no key)'), 2) filter (where i > 1) as a, min(k, 5) filter (where i > 99) as b from {}",
    "counts under a condition": "select count(*) filter (where x > 1) as a, count(distinct i) as b, count(x) as c from {}",
    "finite numbers": "select i from {} where not isfinite(coalesce(x, 0)) order by i",
    "is nan": "select i from {} where isnan(x)",
    "distinct from": "select i from {} where (k in ('a', 'b')) is distinct from b order by i",
    "exists as a value": "select i from {} where b <> exists (select 1 from (values (1)) as u(j) where u.j = t.i) order by i",
    "months and intervals": "select strftime(m, '%Y-%m') || ' ' || coalesce(k, '-') as s, cast(m + interval 1 month as date) as n, day(m) as d from {} order by i, k",
    "try_cast": "select try_cast('3x' as integer) as a, try_cast('2021-02-30' as date) as b, try_cast(' 4' as double) as c",
    "full match": "select regexp_full_match(k || chr(10), 'a') as a, regexp_full_match(k, '[ab]') as b from {} order by i, k",
    "order puts nulls last": "select k from {} order by k desc",
    "qualify": "select k, i from {} qualify count(*) over (partition by i) > 1 order by k",
    "lag with a default": "select lag(i, 1, i) over (order by i, k) as a, lead(i) over (order by i, k) as b from {} order by i, k",
    "text of numbers": "select i::varchar as i, b::varchar as b, x::varchar as x, m::varchar as m from {} where x is null or x < 2 order by i",
    "from first": "from {} order by i, k",
    "having without groups": "select min(i) as a from {} having count(x) >= 3",
    "in a list of values": "select i from {} where i in (select listed from (values (1), (2)) as listed(listed)) order by k",
    "full join": "select t.i, u.j from {} full join (values (1), (9)) as u(j) on t.i = u.j order by t.i, t.k, u.j",
    "bool_and, any, extremes": "select bool_and(b) as a, greatest(max(i), 1) as b, least(min(x), 0) as c from {}",
    "part of a text": "select split_part('a/b', '/', 2) as a, substr('abc', 2) as b, left('abc', 1) as c, length('äb') as d, trim(' a ') as e",
}


def same(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    return ours == theirs and type(ours) is type(theirs)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_a_query_gives_what_it_gives_on_duckdb(spark: SparkConnection, query: str) -> None:
    with duckdb.connect() as connection:
        theirs = connection.execute(query.format(VALUES))
        names = [column[0] for column in theirs.description]
        rows = theirs.fetchall()
    found = spark.execute(query.format(VALUES))
    assert [column[0] for column in found.description] == names
    ours = found.fetchall()
    assert len(ours) == len(rows)
    for our_row, row in zip(ours, rows, strict=True):
        assert all(same(a, b) for a, b in zip(our_row, row, strict=True)), (our_row, row)


def test_frames_have_duckdbs_types(spark: SparkConnection) -> None:
    query = f"select k, i, x, m, b, i::bigint as n, i::hugeint as wide, null::integer as nothing from {VALUES} order by i, k"
    with duckdb.connect() as connection:
        theirs = connection.sql(query).df()
    ours = spark.sql(query).df()
    pd.testing.assert_frame_equal(ours, theirs)
    assert spark.sql(query).shape == (4, 8)
    assert spark.sql(query).columns == list(theirs.columns)


def test_a_table_is_written_to_the_last_bit(spark: SparkConnection) -> None:
    spark.run("create schema if not exists written")
    rows = pa.table(
        {
            "k": ["it's", "a\\b\n", "${x}", None],
            "x": [0.1 + 0.2, -0.0, 5e-324, math.inf],
            "n": pa.array([2**63 - 1, -(2**63), 0, None], pa.int64()),
            "m": pa.array([datetime(2021, 10, 31, 2, 30, 0, 1), None, datetime(1900, 1, 1), None], pa.timestamp("us")),
            "b": [True, False, None, True],
            "nothing": pa.array([None] * 4, pa.int32()),
            "wide": pa.array([Decimal(2**100), Decimal(-1), None, Decimal(0)], pa.decimal128(38, 0)),
            "l": pa.array([["a", None], [], None, ["'"]], pa.list_(pa.string())),
        }
    )
    spark.write_table("written.one", rows)
    spark.write_table("written.one", rows)  # again, in its place
    found = spark.table("written.one").to_arrow_table()
    by_key = {str(row["k"]): row for row in found.to_pylist()}
    for row in rows.to_pylist():
        ours = by_key[str(row["k"])]
        assert repr(ours) == repr(row)
    assert [str(type_) for type_ in found.schema.types] == [str(type_) for type_ in rows.schema.types]
    spark.write_table("written.empty", rows.slice(0, 0))
    assert spark.table("written.empty").shape == (0, 8)
    spark.write_table("written.frame", pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "x": [0.5, None]}))
    assert sorted(spark.execute("select i, x from written.frame").fetchall(), key=str) == [(1, 0.5), (None, None)]


def test_parameters_are_written_out(spark: SparkConnection) -> None:
    values = ["it's ${x} ?", -3, None, 0.1, datetime(2021, 1, 2, 3, 4, 5), True]
    [row] = spark.execute(
        "select ?::varchar, ?::integer, ?::bigint, ?::double, ?::timestamp, ?::boolean, '?'", values
    ).fetchall()
    assert row == (*values, "?")
    [row] = spark.execute("select $2::integer, $1::varchar", values[:2]).fetchall()
    assert row == (-3, "it's ${x} ?")


def test_a_table_can_be_described_and_a_query_parsed(spark: SparkConnection) -> None:
    spark.run("create schema if not exists described")
    spark.execute("create or replace table described.one as select 'a' as k, 1 as i, 1.5::double as x")
    assert spark.execute('describe "described"."one"').fetchall() == [
        ("k", "VARCHAR"),
        ("i", "INTEGER"),
        ("x", "DOUBLE"),
    ]
    spark.execute("create or replace view described.two as select k from described.one")
    assert spark.sql("from described.two").columns == ["k"]
    [(parsed,)] = spark.execute("select json_serialize_sql(?::varchar)", ["select 1 from a.b"]).fetchall()
    assert '"table_name":"b"' in parsed
    assert (spark.execute("from described.two").fetchone(), spark.fetchone()) == (("a",), None)


def test_errors_are_duckdbs_and_quote_no_value(spark: SparkConnection, capfd: pytest.CaptureFixture[str]) -> None:
    for query, kind, text in (
        (
            "select * from nowhere.one",
            duckdb.CatalogException,
            "Catalog Error: Table with name nowhere.one does not exist",
        ),
        ("select nothing from (select 1 as a)", duckdb.BinderException, "Binder Error: nothing not found"),
        ("select frm from from", duckdb.ParserException, "Parser Error: "),
        (
            "select cast('secret' as integer)",
            duckdb.ConversionException,
            "Conversion Error: Spark cannot convert a value (CAST_INVALID_INPUT)",
        ),
        (
            "select error('gate raw is closed: 3')",
            duckdb.InvalidInputException,
            "Invalid Input Error: gate raw is closed: 3",
        ),
    ):
        with pytest.raises(kind) as raised:
            spark.execute(query)
        assert str(raised.value).startswith(text)
        assert "secret" not in str(raised.value)
    assert "secret" not in "".join(capfd.readouterr())


def test_types_have_a_name_on_either_side() -> None:
    for name in (
        "VARCHAR",
        "BOOLEAN",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "DOUBLE",
        "DATE",
        "TIMESTAMP",
        "DECIMAL(9,2)",
        "VARCHAR[]",
        "MAP(VARCHAR, BIGINT)",
    ):
        assert duckdb_type(spark_type(name)) == name
    assert [
        duckdb_type(name) for name in ("BIGINT_TYPE", "STRING_TYPE", "varchar(10)", "INT_TYPE", "DECIMAL_TYPE")
    ] == ["BIGINT", "VARCHAR", "VARCHAR", "INTEGER", "HUGEINT"]


def test_values_of_a_server_are_those_of_a_session() -> None:
    """PyHive gives decimals and moments as text or as Python's, and lists as JSON."""
    assert python_value("12", "DECIMAL_TYPE") == 12
    assert python_value(Decimal("12"), "decimal(38,0)") == 12
    assert python_value(Decimal("1.50"), "decimal(9,2)") == Decimal("1.50")
    assert python_value("2021-10-31 02:30:00.5", "TIMESTAMP_TYPE") == datetime(2021, 10, 31, 2, 30, 0, 500000)
    assert python_value('["a","b"]', "ARRAY_TYPE") == ["a", "b"]
    assert python_value('["a","b"]', "array<string>") == ["a", "b"]
    assert spark_literal(-0.0, "double") == "cast('-0.0' as double)"


def test_a_map_of_a_server_has_the_types_of_its_query() -> None:
    """PyHive says MAP_TYPE, and gives the values as JSON."""
    asked = []

    def run(statement: str) -> tuple[list[tuple[str, str]], list[tuple[object, ...]]]:
        asked.append(statement)
        if statement.startswith("describe query"):
            described = [("n", "bigint", None), ("files", "map<string,bigint>", None), ("l", "array<string>", None)]
            return [("col_name", "STRING_TYPE"), ("data_type", "STRING_TYPE"), ("comment", "STRING_TYPE")], described
        return [("n", "BIGINT_TYPE"), ("files", "MAP_TYPE"), ("l", "ARRAY_TYPE")], [(1, '{"sessions":2}', '["a"]')]

    found = SparkConnection(run).run("select n, files, l from ops.builds")
    assert [column[1] for column in found.description] == ["BIGINT", "MAP(VARCHAR, BIGINT)", "VARCHAR[]"]
    assert found.to_arrow_table().to_pylist() == [{"n": 1, "files": [("sessions", 2)], "l": ["a"]}]
    assert len(asked) == 2


def test_what_is_missing_is_said_with_what_to_do() -> None:
    for text, expected in (
        (
            "[JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port number.",
            "install a Java runtime of version 17",
        ),
        ("TTransportException: Could not connect to any of [('10.0.0.9', 10000)]", "check host, port and token"),
        (
            "[INSUFFICIENT_PERMISSIONS] User does not have permission SELECT on `raw`.`sessions`",
            "no permission for raw.sessions",
        ),
        (
            "org.apache.hadoop.security.AccessControlException: Permission denied: user=x, path=/y",
            "no permission for a table",
        ),
        (
            "java.nio.file.AccessDeniedException: /data/tables/clinic.db/sessions: Permission denied\n\tat org.apache.hadoop",
            "no permission for /data/tables/clinic.db/sessions: ask",
        ),
        (
            "java.io.FileNotFoundException: /data/clinic.db/participants/participant_id=p4711/part-0.parquet (Permission denied)",
            "no permission for /data/clinic.db/participants/participant_id: ask",
        ),
        (
            "java.io.IOException: Mkdirs failed to create file:/data/tables/clinic.db/c/_temporary/0/_temporary/attempt_2"
            " (exists=false, cwd=file:/work)",
            "no permission for /data/tables/clinic.db/c: ask",
        ),
        (
            "MetaException(message:file:/data/tables/clinic.db/d is not a directory or unable to create one)",
            "no permission for /data/tables/clinic.db/d: ask",
        ),
        (
            "MetaException(message:Unable to create database path file:/data/tables/q.db, failed to create database q)",
            "no permission for /data/tables/q.db: ask",
        ),
        (
            "[_LEGACY_ERROR_TEMP_2056] Unable to clear output directory file:/data/tables/clinic.db/e prior to writing to it.",
            "no permission for /data/tables/clinic.db/e: ask",
        ),
        (
            "HiveException: java.lang.RuntimeException: Unable to instantiate"
            " org.apache.hadoop.hive.ql.metadata.SessionHiveMetaStoreClient",
            "RAPPORT_SPARK_METASTORE",
        ),
        ("java.lang.OutOfMemoryError: Java heap space", "RAPPORT_SPARK_MEMORY"),
        ("java.io.IOException: No space left on device", "make room"),
        (
            "[DATA_SOURCE_NOT_FOUND] Failed to find the data source: iceberg.",
            "format that this Spark cannot read (DATA_SOURCE_NOT_FOUND)",
        ),
        ("[LOCATION_ALREADY_EXISTS] Cannot name the managed table as `ops`.`x`", "end the other build"),
    ):
        said = explained(RuntimeError(text))
        assert said is not None
        assert expected in said
        assert str(as_duckdb(RuntimeError(text))).startswith("IO Error: ")
    assert explained(RuntimeError("the value 4711 is odd")) is None
    assert str(as_duckdb(RuntimeError("the value 4711 is odd"))) == "Spark Error: RuntimeError"
