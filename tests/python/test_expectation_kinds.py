"""Which kinds of expectation are judged inside DuckDB: each on a rule that holds and on one that does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rapport.audit.kinds import JUDGED
from rapport.audit.suites import Suite, SuiteError, judge, load_suite

BOTH = {"ignore_row_if": "both_values_are_missing"}
# Of a table with n 1 to 4, twice n, an even and an odd half (1, 1, 2, 2), words, and nulls: what holds, what does not.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "expect_column_distinct_values_to_be_in_set": (
        {"column": "half", "value_set": [1, 2, 3]},
        {"column": "half", "value_set": [1, 3]},
    ),
    "expect_column_distinct_values_to_contain_set": (
        {"column": "half", "value_set": [2]},
        {"column": "half", "value_set": [3]},
    ),
    "expect_column_distinct_values_to_equal_set": (
        {"column": "half", "value_set": [1, 2]},
        {"column": "half", "value_set": [1]},
    ),
    "expect_column_kl_divergence_to_be_less_than": (
        {"column": "half", "partition_object": {"values": [1, 2], "weights": [0.5, 0.5]}, "threshold": 0.1},
        {"column": "half", "partition_object": {"values": [1, 2], "weights": [0.99, 0.01]}, "threshold": 0.1},
    ),
    "expect_column_max_to_be_between": ({"column": "n", "max_value": 4}, {"column": "n", "max_value": 3}),
    "expect_column_mean_to_be_between": (
        {"column": "n", "min_value": 2.5, "max_value": 2.5},
        {"column": "n", "min_value": 2.6},
    ),
    "expect_column_median_to_be_between": (
        {"column": "n", "min_value": 2.5, "max_value": 2.5},
        {"column": "n", "min_value": 2.6},
    ),
    "expect_column_min_to_be_between": ({"column": "n", "min_value": 1}, {"column": "n", "min_value": 2}),
    "expect_column_most_common_value_to_be_in_set": (
        {"column": "mode", "value_set": [7]},
        {"column": "mode", "value_set": [8]},
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": (
        {"column_A": "twice", "column_B": "n", **BOTH},
        {"column_A": "n", "column_B": "twice", **BOTH},
    ),
    "expect_column_pair_values_to_be_equal": (
        {"column_A": "n", "column_B": "same", **BOTH},
        {"column_A": "n", "column_B": "half", **BOTH},
    ),
    "expect_column_pair_values_to_be_in_set": (
        {"column_A": "n", "column_B": "half", "value_pairs_set": [[1, 1], [2, 1], [3, 2], [4, 2]], **BOTH},
        {"column_A": "n", "column_B": "half", "value_pairs_set": [[1, 1], [2, 1]], **BOTH},
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": (
        {"column": "n", "min_value": 1},
        {"column": "nothing", "min_value": 0.1},
    ),
    "expect_column_proportion_of_unique_values_to_be_between": (
        {"column": "half", "min_value": 0.5, "max_value": 0.5},
        {"column": "half", "min_value": 0.6},
    ),
    "expect_column_quantile_values_to_be_between": (
        {"column": "n", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[2, 3]]}},
        {"column": "n", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[4, 5]]}},
    ),
    "expect_column_stdev_to_be_between": (
        {"column": "n", "min_value": 1.29, "max_value": 1.3},
        {"column": "n", "min_value": 2},
    ),
    "expect_column_sum_to_be_between": (
        {"column": "n", "min_value": 10, "max_value": 10},
        {"column": "n", "min_value": 11},
    ),
    "expect_column_to_exist": ({"column": "n"}, {"column": "no_such"}),
    "expect_column_unique_value_count_to_be_between": (
        {"column": "half", "min_value": 2, "max_value": 2},
        {"column": "half", "min_value": 3},
    ),
    "expect_column_value_lengths_to_be_between": (
        {"column": "word", "min_value": 2, "max_value": 3},
        {"column": "word", "min_value": 3},
    ),
    "expect_column_value_lengths_to_equal": ({"column": "letter", "value": 1}, {"column": "word", "value": 2}),
    "expect_column_value_z_scores_to_be_less_than": (
        {"column": "n", "threshold": 3, "double_sided": True},
        {"column": "n", "threshold": 0.5, "double_sided": True},
    ),
    "expect_column_values_to_be_between": ({"column": "n", "max_value": 4}, {"column": "n", "max_value": 3}),
    "expect_column_values_to_be_in_set": (
        {"column": "half", "value_set": [1, 2]},
        {"column": "half", "value_set": [1]},
    ),
    "expect_column_values_to_be_null": ({"column": "nothing"}, {"column": "n"}),
    "expect_column_values_to_be_unique": ({"column": "n"}, {"column": "half"}),
    "expect_column_values_to_not_be_in_set": (
        {"column": "half", "value_set": [3]},
        {"column": "half", "value_set": [1]},
    ),
    "expect_column_values_to_not_be_null": ({"column": "n"}, {"column": "nothing"}),
    "expect_multicolumn_sum_to_equal": (
        {"column_list": ["n", "five_less"], "sum_total": 5},
        {"column_list": ["n", "half"], "sum_total": 5},
    ),
    "expect_multicolumn_values_to_be_equal": ({"column_list": ["n", "same"]}, {"column_list": ["n", "half"]}),
    "expect_select_column_values_to_be_unique_within_record": (
        {"column_list": ["n", "twice"]},
        {"column_list": ["n", "same"]},
    ),
    "expect_table_column_count_to_be_between": ({"max_value": 20}, {"max_value": 2}),
    "expect_table_column_count_to_equal": ({"value": 9}, {"value": 8}),
    "expect_table_columns_to_match_ordered_list": (
        {"column_list": ["n", "same", "twice", "half", "five_less", "mode", "word", "letter", "nothing"]},
        {"column_list": ["same", "n", "twice", "half", "five_less", "mode", "word", "letter", "nothing"]},
    ),
    "expect_table_columns_to_match_set": (
        {"column_set": ["same", "n"], "exact_match": False},
        {"column_set": ["same", "n"], "exact_match": True},
    ),
    "expect_table_row_count_to_be_between": ({"min_value": 4}, {"min_value": 5}),
    "expect_table_row_count_to_equal": ({"value": 4}, {"value": 5}),
    "unexpected_rows_expectation": (
        {"unexpected_rows_query": "select * from {batch} where n > 4"},
        {"unexpected_rows_query": "select * from {batch} where n > 3"},
    ),
}
# One of each sort that cannot be judged, with arguments that hold.
NOT_JUDGED: dict[str, dict[str, Any]] = {
    "expect_column_values_to_match_regex": {"column": "letter", "regex": "^[a-d]$"},
    "expect_column_values_to_not_match_regex": {"column": "letter", "regex": "[0-9]"},
    "expect_column_values_to_match_regex_list": {"column": "letter", "regex_list": ["^[a-d]$"]},
    "expect_column_values_to_not_match_regex_list": {"column": "letter", "regex_list": ["[0-9]"]},
    "expect_column_values_to_match_like_pattern": {"column": "word", "like_pattern": "%"},
    "expect_column_values_to_not_match_like_pattern": {"column": "word", "like_pattern": "x%"},
    "expect_column_values_to_match_like_pattern_list": {"column": "word", "like_pattern_list": ["%"]},
    "expect_column_values_to_not_match_like_pattern_list": {"column": "word", "like_pattern_list": ["x%"]},
    # What holds is told; the rows that break the rule cannot be, because the query for them names the key twice.
    "expect_compound_columns_to_be_unique": {"column_list": ["half", "letter"]},
    "expect_table_row_count_to_equal_other_table": {"other_table_name": "four"},
    "expect_column_values_to_be_of_type": {"column": "n", "type_": "INTEGER"},
    "expect_column_values_to_be_in_type_list": {"column": "n", "type_list": ["INTEGER"]},
    "expect_column_type_to_be": {"column": "n", "type_": "INTEGER"},
    "expect_column_values_to_be_increasing": {"column": "n"},
    "expect_column_values_to_be_decreasing": {"column": "five_less"},
    "expect_column_values_to_be_dateutil_parseable": {"column": "letter"},
    "expect_column_values_to_be_json_parseable": {"column": "letter"},
    "expect_column_values_to_match_json_schema": {"column": "letter", "json_schema": {}},
    "expect_column_values_to_match_strftime_format": {"column": "letter", "strftime_format": "%Y"},
    "expect_column_values_to_not_be_outliers": {"column": "n"},
}
# It compares the results of queries on two data sources of Great Expectations, and a build has none.
OF_DATA_SOURCES = {"expect_query_results_to_match_comparison"}


def verdict(kind: str, arguments: dict[str, Any]) -> tuple[bool, str]:
    """Whether the rule held, and what the verdict adds."""
    import great_expectations as gx

    written = {"type": kind, "kwargs": arguments, "severity": "warning", "meta": {"rule": kind}}
    suite = Suite(
        path=Path("custom.json"),
        schema="main",
        table="four",
        label="four",
        key="n",
        repeated=None,
        expectations=gx.ExpectationSuite(name="custom", expectations=[written]),
    )
    with duckdb.connect() as connection:
        connection.execute(
            "create table four as select n, n as same, 2 * n as twice, (n + 1) // 2 as half, 5 - n as five_less,"
            " case when n < 4 then 7 else 8 end as mode, case when n = 1 then 'ab' else 'abc' end as word,"
            " case when n < 3 then 'a' else 'b' end as letter, null::integer as nothing"
            " from (select unnest([1, 2, 3, 4])::integer as n)"
        )
        connection.execute("create table three as from four limit 3")
        [found] = judge(connection, [suite])
    return found.passed, found.detail or ""


@pytest.mark.parametrize("kind", sorted(JUDGED))
def test_a_judged_kind_tells_what_holds_from_what_does_not(kind: str) -> None:
    holds, breaks = CASES[kind]
    assert verdict(kind, holds) == (True, "")
    passed, detail = verdict(kind, breaks)
    assert not passed
    assert "could not be evaluated" not in detail or kind == "expect_column_to_exist"


@pytest.mark.parametrize("kind", sorted(NOT_JUDGED))
def test_other_kinds_are_refused_because_they_cannot_be_judged(kind: str, tmp_path: Path) -> None:
    assert kind not in JUDGED
    try:
        passed, _ = verdict(kind, NOT_JUDGED[kind])
    except (AttributeError, TypeError, duckdb.Error):  # Great Expectations, or its query, ends
        passed = False
    assert not passed, "it holds: now that it is judged, name it in JUDGED"
    path = tmp_path / "custom.json"
    count = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}
    rules = [count, {"type": kind, "kwargs": NOT_JUDGED[kind]}]
    path.write_text(
        json.dumps(
            {
                "name": "custom",
                "meta": {"schema": "main", "table": "four", "label": "four"},
                "expectations": [
                    {**rule, "severity": "warning", "meta": {"rule": f"rule {number}"}}
                    for number, rule in enumerate(rules)
                ],
            }
        )
    )
    with pytest.raises(SuiteError) as refused:
        load_suite(path)
    assert f"{path}: expectation 2 ({kind})" in str(refused.value)
    assert "write it as unexpected_rows_expectation" in str(refused.value)
    assert all(judged in str(refused.value) for judged in JUDGED)


def test_every_kind_of_great_expectations_is_decided_upon() -> None:
    import great_expectations.expectations.core
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    assert great_expectations.expectations.core
    known = set(list_registered_expectation_implementations())
    assert known == JUDGED | set(NOT_JUDGED) | OF_DATA_SOURCES
