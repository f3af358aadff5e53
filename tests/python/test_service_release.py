"""What a release tells of the service's months: figures that stay, and an attacker who adds them up."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from attacker_of_months import CANCELLED, HELD, MISSED, Months
from released import judge, marts_of_golden, write_warehouse

from rapport.disclosure import DisclosureError
from rapport.release.make import make_release

STATUSES = ("completed", "no_show", "cancelled")
OUTCOMES = ("mean_change", "recovery_rate", "improvement_rate")
MIN_CELL = 10
pytestmark = pytest.mark.usefixtures("judged_once")


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """164 participants with 659 sessions in 14 months: few in the first and last ones."""
    _, found = marts_of_golden("small", excluded=(0, 120, 0, 0, 0, 0, 0))
    return found


@pytest.fixture(scope="module")
def hidden(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The months with whether each value goes."""
    verdict = judge(tables, MIN_CELL)
    gone = {row for row, column in verdict.hidden["service_monthly"] if column == "value"}
    return tables["service_monthly"].assign(gone=[i in gone for i in range(len(tables["service_monthly"]))])


def test_a_month_goes_as_a_whole_and_small_numbers_always_go(hidden: pd.DataFrame) -> None:
    assert 0 < hidden["gone"].sum() < len(hidden)
    for _, group in hidden.groupby(["month", "measure"]):
        assert group["gone"].nunique() == 1
    shown = hidden[~hidden["gone"]]
    is_share = ~shown["measure"].isin(["sessions", "new_participants", "alliance_mean", "mean_change"])
    for numbers in (
        shown["people_at_least"],
        shown.loc[is_share, "numerator"],
        shown.loc[is_share, "denominator"] - shown.loc[is_share, "numerator"],
        shown.loc[shown["measure"].isin(["sessions", "new_participants"]), "numerator"],
        shown["denominator"].dropna(),
    ):
        assert not ((numbers > 0) & (numbers < MIN_CELL)).any()


def bounds_of_sessions(
    hidden: pd.DataFrame, used: int, withheld: pd.Series
) -> dict[tuple[object, str], tuple[int, int]]:
    """Between which numbers the sessions of a month and status must lie, for all that stays and the sessions in use."""
    figures = ["numerator", "denominator", "value", "people_at_least"]
    shown = hidden.assign(**{column: hidden[column].astype(float).mask(withheld) for column in figures})
    told = shown.assign(people_at_least=np.nan)[~shown["measure"].isin(["alliance_mean", "top_box_rate", *OUTCOMES])]
    attacker = Months(1, months=told, totals={"sessions": (used, used)})
    statuses = {"completed": HELD, "no_show": MISSED, "cancelled": CANCELLED}
    return {
        (month, status): attacker.narrow(attacker.sessions(month, "all", statuses[status]))
        for month in sorted(hidden["month"].unique())
        for status in STATUSES
    }


def of_status(frame: pd.DataFrame, month: object, status: str) -> int:
    measure = {"completed": "sessions", "no_show": "no_show_rate", "cancelled": "cancellation_rate"}[status]
    return int(of_all(frame, measure, month)["numerator"])


def of_all(frame: pd.DataFrame, measure: str, month: object) -> dict[str, object]:
    is_row = (frame["provider_type"] == "all") & (frame["measure"] == measure) & (frame["month"] == month)
    [row] = frame[is_row].to_dict("records")
    return row


def released(folder: Path, table: str) -> pd.DataFrame:
    frame = pd.read_parquet(folder / f"{table}.parquet")
    return frame.assign(month=pd.to_datetime(frame["month"]))


def test_an_attacker_who_adds_up_sessions_finds_no_small_number(
    tables: dict[str, pd.DataFrame], hidden: pd.DataFrame
) -> None:
    used = int(
        tables["service_monthly"]
        .query("measure == 'cancellation_rate' and provider_type == 'all'")["denominator"]
        .sum()
    )
    attacked = bounds_of_sessions(hidden, used, hidden["gone"])
    small = 0
    for (month, status), (low, high) in attacked.items():
        if 0 < of_status(hidden, month, status) < MIN_CELL:
            small += 1
            assert high >= MIN_CELL, (month, status)
            assert high - low >= MIN_CELL - 1, (month, status)
    assert small > 5
    # Without what goes beside the small figures the same attacker finds some exactly.
    numerators = hidden["numerator"]
    only_small = hidden["gone"] & (numerators > 0) & (numerators < MIN_CELL)
    careless = bounds_of_sessions(hidden, used, only_small)
    assert any(low == high < MIN_CELL and low > 0 for low, high in careless.values())


def test_outcomes_of_hidden_months_add_up_to_enough(hidden: pd.DataFrame) -> None:
    outcomes = hidden[hidden["measure"].isin(OUTCOMES)]
    sums: dict[str, float] = defaultdict(float)
    for row in outcomes[outcomes["gone"]].to_dict("records"):
        sums["people"] += row["denominator"]
        if row["measure"] != "mean_change":
            sums[row["measure"]] += row["numerator"]
            sums[f"not {row['measure']}"] += row["denominator"] - row["numerator"]
    months = outcomes.loc[outcomes["gone"], "month"].nunique()
    everybody = months == outcomes["month"].nunique()
    assert months > 1
    assert everybody or all(number == 0 or number >= MIN_CELL for number in sums.values())


def test_a_release_of_real_data_charts_what_it_shows(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    make_release(write_warehouse(tmp_path / "w.duckdb", tables), tmp_path / "out")
    months, found = (released(tmp_path / "out", name) for name in ("service_monthly", "service_signals"))
    original = tables["service_monthly"]
    assert len(months) == len(found) == len(original)
    january = pd.Timestamp("2021-01-01")
    # Counts are the middle of their five, shares those of such counts.
    row, true = of_all(months, "response_rate", january), of_all(original, "response_rate", january)
    assert row["numerator"] == true["numerator"] // 5 * 5 + 2
    assert row["denominator"] == true["denominator"] // 5 * 5 + 2
    assert row["value"] == round(row["numerator"] / row["denominator"], 3)
    # Of answers no numbers, and the value to as many decimals as leave every number possible.
    row, true = of_all(months, "alliance_mean", january), of_all(original, "alliance_mean", january)
    assert np.isnan(row["numerator"])
    assert np.isnan(row["denominator"])
    assert row["suppressed_columns"] == "numerator,denominator,people_at_least"
    assert row["value"] == round(true["value"], 1 if true["denominator"] < 100 else 2)
    # The chart of a series with a hidden month is that of its shown values.
    for (kind, measure), series in months.sort_values("month").groupby(["provider_type", "measure"]):
        values = series["value"].dropna().tolist()
        is_series = (found["provider_type"] == kind) & (found["measure"] == measure)
        chart = found[is_series].sort_values("month")
        assert chart["value"].dropna().tolist() == values
        assert chart["suppressed"].tolist() == [
            "value" in str(columns).split(",") for columns in series["suppressed_columns"]
        ]
        if len(values) >= 12:
            assert chart["mean"].iloc[0] == pytest.approx(np.mean(values), rel=1e-12)
            width = 2.66 * np.mean(np.abs(np.diff(values)))
            assert chart["upper_limit"].iloc[0] == pytest.approx(np.mean(values) + width, rel=1e-12)
        else:
            assert chart["mean"].isna().all()


def test_a_release_of_invented_people_only_marks(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    make_release(write_warehouse(tmp_path / "w.duckdb", tables, synthetic=True), tmp_path / "out")
    keys = ["month", "provider_type", "measure"]
    for name in ("service_monthly", "service_signals"):
        found = released(tmp_path / "out", name).sort_values(keys).reset_index(drop=True)
        original = tables[name].sort_values(keys).reset_index(drop=True)
        pd.testing.assert_frame_equal(
            found[original.columns],
            original.assign(month=original["month"].astype(found["month"].dtype)),
            check_dtype=False,
            check_exact=True,
        )
        assert found["suppressed"].any()


def test_months_that_no_rule_covers_are_refused(tables: dict[str, pd.DataFrame]) -> None:
    months = tables["service_monthly"]
    for wrong, message in (
        (months.assign(measure="wait"), "no rule for wait"),
        (months.replace({"provider_type": {"all": "coach"}}).iloc[::-1], "no rule for improvement_rate of coach"),
        (pd.concat([months, months.head(1)]), "two rows for"),
        (months.drop(index=0), "does not have every measure"),
        (months.assign(numerator=None), "a number is missing"),
    ):
        with pytest.raises(DisclosureError, match=message):
            judge({**tables, "service_monthly": wrong}, MIN_CELL)
