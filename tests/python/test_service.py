"""The service month by month, and the signals of its control charts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import raw_export
import service_oracle
from conftest import Warehouse
from hypothesis import given, settings
from hypothesis import strategies as st
from sufficient_statistics import GOLDEN

from rapport.demo import write_demo_export
from rapport.service import FLAGS, KEYS, exact_values, service_signals
from rapport.statistics import control_charts


def chart(values: Sequence[int | Fraction | None], min_points: int = 12) -> pd.DataFrame:
    """The signals of one series, a row a month."""
    months = pd.date_range("2020-01-01", periods=len(values), freq="MS")
    fractions = [None if value is None else Fraction(value) for value in values]
    monthly = pd.DataFrame(
        {
            "month": months,
            "provider_type": "all",
            "measure": "alliance_mean",
            "numerator": [value.numerator if value is not None else 0 for value in fractions],
            "denominator": [value.denominator if value is not None else 0 for value in fractions],
        }
    )
    return service_signals(monthly, min_points)


def flagged(frame: pd.DataFrame, flag: str) -> list[int]:
    return frame.index[frame[flag]].tolist()


# --- By hand


def test_limits_by_hand() -> None:
    """1, 3, 1, 3, …: mean 2, every moving range 2, limits 2 ± 5.32."""
    found = chart([1, 3] * 6)
    assert set(found["mean"]) == {2.0}
    assert set(found["lower_limit"]) == {-3.32}
    assert set(found["upper_limit"]) == {7.32}
    assert not found[list(FLAGS)].any(axis=None)


def test_a_value_beyond_a_limit_and_one_on_it() -> None:
    """Eleven zeros and an 11: mean 11/12, mean moving range 1, upper limit 11/12 + 2.66 = 3.57…"""
    found = chart([0] * 11 + [11])
    assert found["mean"][0] == pytest.approx(11 / 12, rel=1e-15)
    assert found["upper_limit"][0] == pytest.approx(11 / 12 + 2.66, rel=1e-15)
    assert flagged(found, "outside_limits") == [11]
    # Equal values: both limits are the mean, and no value is strictly beyond it or on a side of it.
    same = chart([Fraction(1, 10)] * 13)
    assert set(same["mean"]) == set(same["lower_limit"]) == set(same["upper_limit"]) == {0.1}
    assert not same[list(FLAGS)].any(axis=None)


def test_seven_on_one_side_are_a_shift_and_six_are_none() -> None:
    # The mean of each is 2: seven values of 3 and seven of 1; six of 3, one of the mean itself, six of 1, one of 2.
    assert flagged(chart([3] * 7 + [1] * 7), "shift") == list(range(14))
    assert flagged(chart([3] * 6 + [2] + [1] * 6 + [2]), "shift") == []
    # A month without a value is skipped: it neither ends the run nor is flagged.
    assert flagged(chart([3, 3, None, 3, 3, 3, 3, 3] + [1] * 6 + [2, 1]), "shift") == [0, 1, 3, 4, 5, 6, 7]


def test_a_trend_of_seven_values_is_six_rises_and_flags_the_first() -> None:
    falling = [0, 9, 8, 7, 6, 5, 4, 3, 3, 3, 3, 3]
    assert flagged(chart(falling), "trend") == [1, 2, 3, 4, 5, 6, 7]
    # Five rises, then an equal value.
    assert flagged(chart([0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5]), "trend") == []
    # One value ends a rise and begins a fall: it belongs to both.
    assert flagged(chart([0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0, 0]), "trend") == list(range(13))
    skipped = [1, None, 2, 3, None, 4, 5, 6, 7, 0, 0, 0, 0, 0]
    assert flagged(chart(skipped), "trend") == [0, 2, 3, 5, 6, 7, 8]


def test_two_of_three_near_a_limit() -> None:
    """±1 in turn, then two values of 5: mean 0.5, and a way of 2.66 × 44 ÷ 19 = 6.16 to a limit, two thirds are 4.107."""
    low = [1, -1] * 8
    base = [*low, 5, 0, 5, 0]
    found = chart(base)
    assert found["mean"][0] == 0.5
    ranges = 15 * 2 + 6 + 5 + 5 + 5
    assert found["upper_limit"][0] == pytest.approx(0.5 + 2.66 * ranges / 19, rel=1e-15)
    # 4.5 above the mean, of 7.14: two thirds are 4.76, so neither is near.
    assert flagged(found, "near_limit") == []
    near = chart([*low, 7, 0, 7, 0])
    # Mean 0.7, way 2.66 × (30 + 8 + 7 + 7 + 7) ÷ 19 = 8.26, two thirds 5.51; 7 is 6.3 above.
    assert near["upper_limit"][0] == pytest.approx(0.7 + 2.66 * 59 / 19, rel=1e-15)
    assert flagged(near, "near_limit") == [16, 18]
    # With three values in between they are in no three together, and on two sides they do not count together.
    assert flagged(chart([*low, 7, 0, 0, 7]), "near_limit") == []
    assert flagged(chart([*low, 7, -7, 0, 0]), "near_limit") == []


def test_values_beyond_a_limit_count_as_near_it() -> None:
    """Two of 20 after ±2 in turn: mean 40/22, way 2.66 × (19 × 4 + 22) ÷ 21 = 12.41; both are outside, and near together."""
    found = chart([2, -2] * 10 + [20, 20])
    assert found["upper_limit"][0] == pytest.approx(40 / 22 + 2.66 * 98 / 21, rel=1e-15)
    assert flagged(found, "outside_limits") == [20, 21]
    assert flagged(found, "near_limit") == [20, 21]


def test_a_short_series_has_no_limits_and_its_trend_is_seen() -> None:
    found = chart([1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7])
    assert found[["mean", "lower_limit", "upper_limit"]].isna().all(axis=None)
    assert flagged(found, "trend") == list(range(7))
    assert not found[["outside_limits", "shift", "near_limit"]].any(axis=None)
    assert chart([1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7], min_points=11)["mean"].notna().all()
    # Months without a value do not make a series longer, and have its limits.
    gaps = chart([1, 3] * 6 + [None])
    assert gaps["mean"][12] == 2.0
    assert chart([1, 3] * 5 + [None, None])["mean"].isna().all()


def test_what_is_no_table_of_months_is_refused() -> None:
    good = pd.DataFrame(
        {
            "month": ["2020-01-01"],
            "provider_type": ["all"],
            "measure": ["sessions"],
            "numerator": [3],
            "denominator": [None],
        }
    )
    assert service_signals(good, 12)["value"].tolist() == [3.0]
    for column, value, message in (
        ("measure", "wait", "unknown measure wait"),
        ("provider_type", "doctor", "unknown provider_type doctor"),
        ("numerator", 0.5, "whole numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            service_signals(good.assign(**{column: [value]}), 12)
    with pytest.raises(ValueError, match="two rows for one month"):
        service_signals(pd.concat([good, good]), 12)
    with pytest.raises(ValueError, match="spc_min_points is 1"):
        service_signals(good, 1)


SESSIONS = """
    s1, p1, therapist, completed, 2021-01-31 23:59:59
    s2, p1, therapist, completed, 2021-02-01 00:00:00
    s3, p2, coach, completed, 2021-02-15 10:00:00
    s4, p3, coach, completed, 2021-02-16 10:00:00
    s5, p2, therapist, no_show, 2021-02-16 10:00:00
    s6, p3, coach, cancelled, 2021-02-28 23:59:59
    s7, p1, coach, completed, 2021-04-10 10:00:00
    s8, p4, therapist, no_show, 2021-04-30 23:59:59"""
RATINGS = """
    r1, s1, 5, 5
    r2, s2, 5, 4
    second, s2, , 3
    r3, s3, , 4
    unanswered, s4, ,
    not_held, s5, 5, 5
    r7, s7, 5, """
SCORES = """
    a1, p1, 2021-01-01 10:00:00, 1, 1, 1, 1, 1
    a2, p1, 2021-04-20 10:00:00, 2, 2, 2, 1, 1
    a3, p2, 2021-01-22 10:00:00, 2, 2, 1, 1, 1
    a4, p2, 2021-02-25 10:00:00, 2, 1, 1, 1, 1"""
BY_HAND = {
    ("2021-01", "therapist"): "1 1 0/1 0/1 1/1 10/2 1/1",
    ("2021-01", "coach"): "0 0 0/0 0/0 0/0 0/0 0/0",
    ("2021-01", "all"): "1 1 0/1 0/1 1/1 10/2 1/1 0/0 0/0 0/0",
    ("2021-02", "therapist"): "1 0 1/2 0/2 1/1 12/3 0/1",
    ("2021-02", "coach"): "2 2 0/2 1/3 1/2 4/1 0/0",
    ("2021-02", "all"): "3 2 1/4 1/5 2/3 16/4 0/1 -4/1 0/1 0/1",
    ("2021-03", "therapist"): "0 0 0/0 0/0 0/0 0/0 0/0",
    ("2021-03", "coach"): "0 0 0/0 0/0 0/0 0/0 0/0",
    ("2021-03", "all"): "0 0 0/0 0/0 0/0 0/0 0/0 0/0 0/0 0/0",
    ("2021-04", "therapist"): "0 0 1/1 0/1 0/0 0/0 0/0",
    ("2021-04", "coach"): "1 1 0/1 0/1 1/1 5/1 0/0",
    ("2021-04", "all"): "1 0 1/2 0/2 1/1 5/1 0/0 12/1 1/1 1/1",
}


def test_months_by_hand(warehouse: Warehouse) -> None:
    """Sessions on the first and last second of a month, a month without any, ratings without an answer or twice.

    p1 is new to the service and to therapists in January, and to coaches in April. The follow-up of p1 is in April (from
    20 to 32), that of p2 in February (from 28 to 24).
    """
    tables = {
        "sessions": ("session_id, participant_id, provider_type, status, started_at", SESSIONS),
        "alliance_ratings": ("rating_id, session_id, bond_item, goals_item", RATINGS),
        "who5_assessments": (
            "assessment_id, participant_id, completed_at, item_1, item_2, item_3, item_4, item_5",
            SCORES,
        ),
    }
    loaded = pd.Timestamp("2021-11-01")
    for table, (header, rows) in tables.items():
        frame = pd.DataFrame(
            [[cell.strip() or None for cell in row.split(",")] for row in rows.strip().splitlines()],
            columns=header.split(", "),
        )
        for column in frame.columns:
            if column.endswith("_at"):
                frame[column] = pd.to_datetime(frame[column]).astype("datetime64[us]")
            elif "item" in column:
                frame[column] = frame[column].astype("Int32")
        more = {"sessions": {"provider_id": "d", "duration_minutes": 50}, "alliance_ratings": {"submitted_at": loaded}}
        write(warehouse, table, frame.assign(**more.get(table, {}), loaded_at=loaded))
    people = pd.DataFrame({"participant_id": ["p1", "p2", "p3", "p4"], "age_years": 30, "sex": "female"})
    registered = pd.Timestamp("2020-01-01")
    more = {"registered_at": registered, "country_code": "US", "employer_sponsored": True, "loaded_at": loaded}
    write(warehouse, "participants", people.assign(**more))
    outcome = warehouse.run()
    assert outcome.success, outcome.output
    found = warehouse.query(
        "select strftime(month, '%Y-%m'), provider_type, measure, numerator, denominator, value from marts.service_monthly"
    )
    assert len(found) == 4 * 24
    by_key = {(month, kind, measure): figures for month, kind, measure, *figures in found}
    measures = ("sessions", "new_participants", *service_oracle.RATES, *service_oracle.OUTCOMES)
    for (month, kind), figures in BY_HAND.items():
        for measure, figure in zip(measures, figures.split(), strict=False):
            above, _, below = figure.partition("/")
            share = int(above) / int(below or 1) if below != "0" else None
            assert by_key.pop((month, kind, measure)) == [int(above), int(below) if below else None, share], (
                month,
                kind,
                measure,
            )
    assert by_key == {}


def write(warehouse: Warehouse, table: str, frame: pd.DataFrame) -> None:
    shutil.rmtree(warehouse.raw / table)
    (warehouse.raw / table).mkdir()
    for column in ("age_years", "duration_minutes"):
        if column in frame:
            frame[column] = frame[column].astype("Int32")
    frame.to_parquet(warehouse.raw / table / "part-0.parquet", index=False)


# --- Against brute force


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.fractions(0, 3, max_denominator=6)), max_size=40),
    st.integers(2, 14),
)
def test_signals_are_those_of_brute_force(values: list[Fraction | None], min_points: int) -> None:
    shown = [value for value in values if value is not None]
    around = control_charts.limits(shown) if len(shown) >= min_points else None
    expected = [row for row in service_oracle.chart(values, min_points) if row["value"] is not None]
    for one, row in zip(control_charts.signals(shown, around), expected, strict=True):
        assert {flag: getattr(one, flag) for flag in FLAGS} == {flag: row[flag] for flag in FLAGS}
        assert (around.mean if around else None, around.lower if around else None) == (row["mean"], row["lower_limit"])


def assert_months_are_right(warehouse: Warehouse, min_points: int = 12) -> None:
    """The published months and signals are those of the oracle, to the last bit."""
    with duckdb.connect(str(warehouse.db), read_only=True) as connection:
        cohort = connection.execute("from marts.analysis_cohort").df()
        months = connection.execute("from marts.service_monthly").df()
        found = connection.execute("from marts.service_signals").df()
    expected = service_oracle.monthly(warehouse.raw, cohort)
    published = {
        (row["month"].date(), row["provider_type"], row["measure"]): (
            row["numerator"],
            None if pd.isna(row["denominator"]) else int(row["denominator"]),
        )
        for row in months.to_dict("records")
    }
    assert published == expected
    assert len(months) == len(published)
    values = [
        None if value is None else float(value) for value in (service_oracle.value(*pair) for pair in expected.values())
    ]
    by_key = dict(zip(expected, values, strict=True))
    for row in months.to_dict("records"):
        value = by_key[row["month"].date(), row["provider_type"], row["measure"]]
        assert value == (None if pd.isna(row["value"]) else row["value"])
    people = service_oracle.people(warehouse.raw)
    for row in months.to_dict("records"):
        key = (row["month"].date(), row["provider_type"], row["measure"])
        if key[2] == "new_participants" or key[2] in service_oracle.OUTCOMES:
            assert row["people_at_least"] == expected[key][0 if key[2] == "new_participants" else 1]
        else:
            # 64 buckets hold few people apart, mostly; nobody is ever counted who is not there.
            least = min(people.get(key, 0), 3)
            assert least - 1 <= row["people_at_least"] <= min(people.get(key, 0), 64)
            assert (row["people_at_least"] > 0) == (least > 0)
    charts = service_oracle.signals(expected, min_points)
    assert len(found) == len(charts)
    for row in found.to_dict("records"):
        for name, value in charts[row["month"].date(), row["provider_type"], row["measure"]].items():
            ours = None if name not in FLAGS and pd.isna(row[name]) else row[name]
            assert ours == (float(value) if isinstance(value, Fraction) else value), (row, name)


def test_months_of_the_demo_export(built: Warehouse) -> None:
    assert_months_are_right(built)


@pytest.mark.builds
@pytest.mark.parametrize("seed", [1, 2])
def test_months_of_random_exports(warehouse: Warehouse, seed: int) -> None:
    """Few people, so that months, types and outcomes have gaps; sessions moved years away make months of nothing."""
    shutil.rmtree(warehouse.raw)
    write_demo_export(warehouse.raw, participants=150, seed=seed, part_files=2)
    if seed == 2:
        warehouse.spoil("sessions", "started_at", "started_at + interval 3 year", "hash(session_id) % 20 = 0")
        warehouse.spoil("sessions", "status", "'no_show'", "hash(session_id) % 7 = 0")
        warehouse.spoil("alliance_ratings", "bond_item", "null", "hash(rating_id) % 3 = 0")
    outcome = warehouse.run("--vars", "{spc_min_points: 6}" if seed == 2 else "{}")
    assert outcome.success, outcome.output
    assert_months_are_right(warehouse, 6 if seed == 2 else 12)


@pytest.mark.builds
def test_months_of_a_golden_cohort(warehouse: Warehouse) -> None:
    shutil.rmtree(warehouse.raw)
    raw_export.write_raw_export(GOLDEN / "small", warehouse.raw)
    outcome = warehouse.run()
    assert outcome.success, outcome.output
    assert_months_are_right(warehouse)
    # Nobody's rating is twice in a month's mean: item sums are those of the participants.
    [(of_months, of_people)] = warehouse.query(
        "select (select sum(numerator) from marts.service_monthly where measure = 'alliance_mean' and provider_type = 'all'),"
        " (select sum(round(alliance_score * item_responses)) from marts.participant_alliance)"
    )
    assert of_months == of_people


def test_exact_values_are_fractions() -> None:
    frame = pd.DataFrame(
        {
            "month": ["2020-01-01"] * 3,
            "provider_type": ["all"] * 3,
            "measure": ["sessions", "no_show_rate", "response_rate"],
            "numerator": [7, 1, 0],
            "denominator": pd.array([None, 3, 0], dtype="Int64"),
        }
    )
    assert exact_values(frame) == [Fraction(7), Fraction(1, 3), None]
    assert list(KEYS) == service_oracle.KEYS
    assert Path(service_oracle.__file__).read_text(encoding="utf-8").count("from rapport") == 0
