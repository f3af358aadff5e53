"""The alliance by provider: figures by hand and by R, builds with and without it, what is released and shown."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, Warehouse
from released import UNIT, Tables, marts_of_golden, provider_sums, scores_by_provider, write_warehouse
from sufficient_statistics import GOLDEN, PUBLISHED, cohorts
from test_instruments import current
from test_report import Browser, assert_equals_warehouse

from rapport.contracts import marts_contract, read_project
from rapport.disclosure import DisclosureError, judge, populations, rules, tables_of
from rapport.disclosure import providers as rule_of_providers
from rapport.disclosure.providers import Beside, ProviderAlliance, which_go
from rapport.disclosure.sensitivity import hidden_numbers
from rapport.project_vars import VarError, check_vars
from rapport.providers import (
    FIGURES,
    KEYS,
    LIMITS,
    NEGATIVE_ICC,
    NO_VARIANCE,
    ONE_EACH,
    ONE_PROVIDER,
    UNNAMED,
    provider_alliance,
)
from rapport.refresh import OF_THE_PROJECT, steps_of
from rapport.release import open_release
from rapport.release.__main__ import main as release
from rapport.report.__main__ import main as report
from rapport.report.page import build_page
from rapport.report.providers import place
from rapport.report.published import Published, Record, read_release
from rapport.statistics.funnel import funnel_limits, reliability, shrunken_mean

pytestmark = pytest.mark.usefixtures("judged_once")

ASKED = "{provider_marts: true}"
Z_95, Z_998 = 1.959963984540054, 3.090232306167813  # R: qnorm(0.975), qnorm(0.999)


def sums(scores: dict[tuple[str, str | None], Sequence[float]], sessions: int = 1) -> pd.DataFrame:
    """The sums of providers' scores; everybody has so many rated sessions."""
    rows = []
    for (kind, provider), values in scores.items():
        units = [round(Fraction(str(value)) * UNIT) for value in values]
        rows.append(
            {
                "provider_type": kind,
                "provider_id": provider,
                "unit": UNIT,
                "rated_sessions": sessions * len(values),
                "participants": len(values),
                "alliance": str(sum(units)),
                "alliance_squares": str(sum(unit * unit for unit in units)),
            }
        )
    return pd.DataFrame(rows)


def concluded(scores: dict[tuple[str, str | None], Sequence[float]]) -> pd.DataFrame:
    return provider_alliance(sums(scores)).set_index(list(KEYS))


# --- By hand


def test_two_providers_by_hand() -> None:
    """4, 5 and 2, 3: MSB = 4, MSW = 1/2, ICC = 3.5 ÷ 4.5 = 7/9; a mean of two is reliable by 14/9 ÷ 16/9 = 7/8."""
    found = concluded({("therapist", "a"): [4, 5], ("therapist", "b"): [2, 3]})
    assert found["type_mean"].tolist() == [3.5, 3.5]
    np.testing.assert_allclose(found["icc"], 7 / 9, rtol=1e-14)
    np.testing.assert_allclose(found["shrunken_mean"], [3.5 + 7 / 8, 3.5 - 7 / 8], rtol=1e-14)
    np.testing.assert_allclose(found["sd_within"], math.sqrt(0.5), rtol=1e-14)
    # √(1/2) ÷ √2 = 1/2
    np.testing.assert_allclose(found["lower_95"], 3.5 - Z_95 / 2, rtol=1e-14)
    np.testing.assert_allclose(found["upper_95"], 3.5 + Z_95 / 2, rtol=1e-14)
    np.testing.assert_allclose(found["lower_998"], 3.5 - Z_998 / 2, rtol=1e-14)
    np.testing.assert_allclose(found["upper_998"], 3.5 + Z_998 / 2, rtol=1e-14)
    assert found["note"].tolist() == [None, None]


def test_groups_of_unequal_size_by_hand() -> None:
    """4, 5, 3 and 2: N = 4, mean 3.5; MSB = 3 · .25 + 2.25 = 3, MSW = 2 ÷ 2 = 1, n₀ = 4 − 10/4 = 1.5, ICC = 2 ÷ 3.5."""
    found = concluded({("coach", "a"): [4, 5, 3], ("coach", "b"): [2]})
    np.testing.assert_allclose(found["icc"], 4 / 7, rtol=1e-14)
    reliabilities = [12 / 7 / (1 + 8 / 7), 4 / 7]
    np.testing.assert_allclose(
        found["shrunken_mean"], [3.5 + reliabilities[0] * 0.5, 3.5 - reliabilities[1] * 1.5], rtol=1e-14
    )
    np.testing.assert_allclose(found["upper_95"], [3.5 + Z_95 / math.sqrt(3), 3.5 + Z_95], rtol=1e-14)


def test_a_negative_icc_is_zero_and_said() -> None:
    """Means that agree more than chance lets them: MSB = 0, MSW = 2; raw ICC −1, and every shrunken mean is the type's."""
    found = concluded({("therapist", "a"): [2, 4], ("therapist", "b"): [2, 4]})
    assert found["icc"].tolist() == [0.0, 0.0]
    assert found["shrunken_mean"].tolist() == [3.0, 3.0]
    assert found["note"].tolist() == [NEGATIVE_ICC] * 2
    assert found[list(LIMITS)].notna().all(axis=None)


@pytest.mark.parametrize(
    ("scores", "note", "deviation"),
    [
        ({("therapist", "a"): [2, 4, 5]}, ONE_PROVIDER, math.sqrt(7 / 3)),
        ({("therapist", "a"): [2], ("therapist", "b"): [4]}, ONE_EACH, None),
        ({("therapist", "a"): [2]}, ONE_PROVIDER, None),
        ({("therapist", "a"): [2, 2], ("therapist", "b"): [4, 4]}, NO_VARIANCE, 0.0),
    ],
)
def test_where_there_is_no_icc_a_note_says_why(
    scores: dict[tuple[str, str | None], Sequence[float]], note: str, deviation: float | None
) -> None:
    found = concluded(scores)
    assert found["note"].tolist() == [note] * len(found)
    assert found[["icc", "shrunken_mean", *LIMITS]].isna().all(axis=None)
    assert found["alliance_mean"].tolist() == [sum(values) / len(values) for values in scores.values()]
    assert found["type_mean"].nunique() == 1
    if deviation is None:
        assert found["sd_within"].isna().all()
    else:
        np.testing.assert_allclose(found["sd_within"], deviation, rtol=1e-14)


def test_types_are_apart_and_sessions_without_a_provider_are_counted_but_enter_nothing() -> None:
    therapists: dict[tuple[str, str | None], Sequence[float]] = {
        ("therapist", "a"): [4, 5],
        ("therapist", "b"): [2, 3],
    }
    alone = concluded(therapists)
    found = concluded({**therapists, ("therapist", None): [1, 1, 2], ("coach", "a"): [1, 5], ("coach", None): [3]})
    pd.testing.assert_frame_equal(found.loc[alone.index], alone)
    unnamed = found.loc[found["note"] == UNNAMED]
    assert unnamed["participants"].tolist() == [3, 1]
    assert unnamed["alliance_mean"].tolist() == pytest.approx([4 / 3, 3.0], rel=1e-15)
    assert unnamed["type_mean"].tolist() == [3.5, 3.0]
    assert unnamed[["icc", "sd_within", "shrunken_mean", *LIMITS]].isna().all(axis=None)
    only_unnamed = concluded({("coach", None): [3, 4]})
    assert only_unnamed["type_mean"].isna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"provider_type": "doctor"}, "unknown provider_type doctor"),
        ({"participants": 0}, "participants must be at least 1"),
        ({"rated_sessions": 1.5}, "rated_sessions must hold whole numbers"),
        ({"alliance": "x"}, "alliance must hold whole numbers"),
        ({"alliance_squares": "1"}, "the squares of a provider are too small for their sum"),
        ({"provider_id": "a"}, "two rows for one provider type and provider"),
    ],
)
def test_sums_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    good = sums({("therapist", "a"): [4, 5], ("therapist", "b"): [2, 3]})
    with pytest.raises(ValueError, match=message):
        provider_alliance(good.assign(**change))
    with pytest.raises(ValueError, match="lacks the column unit"):
        provider_alliance(good.drop(columns="unit"))


def test_formulas_refuse_what_is_out_of_range() -> None:
    assert reliability(1, 0.3) == 0.3
    assert shrunken_mean(5.0, 7, 4.0, 0.0) == 4.0
    assert shrunken_mean(5.0, 7, 4.0, 1.0) == 5.0
    for call in (
        lambda: reliability(0, 0.5),
        lambda: reliability(2, -0.1),
        lambda: funnel_limits(4.0, 1.0, 0, 0.95),
        lambda: funnel_limits(4.0, -1.0, 5, 0.95),
        lambda: funnel_limits(4.0, 1.0, 5, 1.0),
    ):
        with pytest.raises(ValueError, match="must"):
            call()


# --- Against R


def sums_of_cohort(name: str) -> pd.DataFrame:
    """What the warehouse computes in SQL, in pandas."""
    _, ratings = cohorts.read(name)
    return provider_sums(scores_by_provider(ratings, pd.read_csv(GOLDEN / name / "sessions.csv")))


def assert_agrees_with_r(ours: pd.DataFrame, name: str) -> None:
    r = pd.read_csv(GOLDEN / name / "provider_alliance.csv", keep_default_na=False, na_values=["NA"])
    ours = ours.assign(provider_id=ours["provider_id"].astype(object).fillna("")).set_index(list(KEYS)).sort_index()
    r = r.set_index(list(KEYS)).sort_index()
    assert list(ours.index) == list(r.index)
    pd.testing.assert_frame_equal(
        ours[list(FIGURES)].astype(float), r[list(FIGURES)].astype(float), rtol=1e-8, atol=1e-10, check_index_type=False
    )
    assert ours.loc[r["shrunken_mean"].isna(), "note"].notna().all()


@pytest.mark.parametrize("name", list(cohorts.COHORTS))
def test_every_cohort_agrees_with_r(name: str) -> None:
    assert_agrees_with_r(provider_alliance(sums_of_cohort(name)), name)


# --- Builds: those of the golden cohorts are compared with R in test_golden_builds.py


_kept: dict[str, Path] = {}


@pytest.fixture
def asked(warehouse: Warehouse, workbench: Path) -> Warehouse:
    """A warehouse whose build was asked for the alliance by provider; a tenth of the sessions name no provider."""
    warehouse.spoil("sessions", "provider_id", "null", "hash(session_id) % 10 = 0")
    if "asked" not in _kept:
        outcome = warehouse.run("--vars", ASKED)
        assert outcome.success, outcome.output
        _kept["asked"] = workbench / "asked.duckdb"
        shutil.copy(warehouse.db, _kept["asked"])
    shutil.copy(_kept["asked"], warehouse.db)
    return warehouse


def names_of_tables(warehouse: Warehouse) -> set[str]:
    return {
        str(name)
        for (name,) in warehouse.query("select table_schema || '.' || table_name from information_schema.tables")
    }


@pytest.mark.builds
def test_the_mart_is_that_of_pandas(asked: Warehouse) -> None:
    """From the raw files, without the project's SQL: each participant's score with each provider."""
    cohort = {str(key) for (key,) in asked.query("select participant_id from marts.analysis_cohort")}
    sessions = current(asked.raw / "sessions", "session_id")
    day = sessions["started_at"].dt.normalize()
    held = (sessions["status"] == "completed") & day.between("2020-09-29", "2021-10-12")
    sessions = sessions[held & sessions["participant_id"].isin(cohort)]
    ratings = current(asked.raw / "alliance_ratings", "rating_id")
    items = ["bond_item", "goals_item"]
    rated = ratings.dropna(subset=items, how="all").merge(sessions, on="session_id")
    rated = rated.assign(answers=rated[items].sum(axis=1), answered=rated[items].notna().sum(axis=1))
    by = ["provider_type", "provider_id", "participant_id"]
    scores = rated.groupby(by, dropna=False)[["answers", "answered"]].sum()
    scores["score"] = scores["answers"] / scores["answered"]
    groups = ["provider_type", "provider_id"]
    expected = scores.groupby(groups, dropna=False)["score"].agg(["size", "mean"])
    expected["sessions"] = rated.groupby(groups, dropna=False)["session_id"].nunique()
    with duckdb.connect(str(asked.db), read_only=True) as connection:
        ours = connection.execute("from marts.provider_alliance").df().set_index(groups)
    assert len(ours) == len(expected) > 30
    assert ours.index.get_level_values("provider_id").isna().sum() == 2
    ours, expected = (frame.sort_index() for frame in (ours, expected))
    assert ours["participants"].tolist() == expected["size"].tolist()
    assert ours["rated_sessions"].tolist() == expected["sessions"].tolist()
    np.testing.assert_allclose(ours["alliance_mean"], expected["mean"], rtol=1e-11)
    verdicts = asked.query("select count(*), bool_and(passed) from audit.validation_results where layer = 'providers'")
    assert verdicts == [(22, True)]


def test_by_default_nothing_is_built_and_nothing_names_a_provider(built: Warehouse, tmp_path: Path) -> None:
    found = names_of_tables(built)
    assert not {name for name in found if "provider_alliance" in name or name.startswith("providers.")}
    assert "provider_alliance" not in {name for (name,) in built.query("select table_name from audit.publish")}
    assert not built.query("from audit.validation_results where layer = 'providers'")
    providers = {str(name) for name in current(built.raw / "sessions", "session_id")["provider_id"].dropna()}
    assert len(providers) == 42
    assert release_of(built.db, tmp_path / "out") == 0
    assert report(["--release", str(tmp_path / "out"), "--out", str(tmp_path / "page.html")]) == 0
    assert_without(tmp_path, providers)


def assert_without(folder: Path, providers: set[str]) -> None:
    """No file has the id of a provider, in text or in a column of a table."""
    for path in (one for one in folder.rglob("*") if one.is_file()):
        if path.suffix == ".parquet":
            with duckdb.connect() as connection:
                content = str(connection.execute(f"from '{path}'").fetchall())
        else:
            content = path.read_text(encoding="utf-8")
        assert not [name for name in providers if name in content], path


@pytest.mark.builds
def test_a_build_that_is_not_asked_withdraws_what_an_earlier_one_published(asked: Warehouse) -> None:
    assert "marts.provider_alliance" in names_of_tables(asked)
    outcome = asked.run()
    assert outcome.success, outcome.output
    found = names_of_tables(asked)
    assert not {name for name in found if "provider_alliance" in name or name.startswith("providers.")}
    assert not asked.query("select 1 from duckdb_tables() where table_name like 'provider_alliance%'")
    again = asked.run("--vars", ASKED)
    assert again.success, again.output
    assert asked.query("select count(*) > 30 from marts.provider_alliance") == [(True,)]


@pytest.mark.builds
def test_a_build_that_fails_leaves_what_was_published(asked: Warehouse) -> None:
    before = asked.query("from marts.provider_alliance order by all")
    asked.spoil("sessions", "status", "'lost'", "session_id = (select min(session_id) from rows)")
    assert not asked.run().success
    assert asked.query("from marts.provider_alliance order by all") == before


@pytest.mark.builds
def test_what_an_unpublished_build_wrote_of_providers_goes(built: Warehouse) -> None:
    """It was asked for them and came to the mart, but not to its publication; the next one is not asked."""
    outcome = built.run("--select", "+provider_alliance", "--vars", ASKED)
    assert outcome.success, outcome.output
    assert built.query("select 1 from duckdb_tables() where table_name like 'provider_alliance___%'")
    assert "marts.provider_alliance" not in names_of_tables(built)
    outcome = built.run()
    assert outcome.success, outcome.output
    found = names_of_tables(built)
    assert not {name for name in found if "provider_alliance" in name or name.startswith("providers.")}


# --- The snapshot


@pytest.mark.builds
def test_a_snapshot_has_providers_only_with_leave(
    asked: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = tmp_path / "served.duckdb"
    monkeypatch.setenv("RAPPORT_MARTS", str(served))

    def tables() -> set[str]:
        with duckdb.connect(str(served), read_only=True) as connection:
            return {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}

    assert asked.run("--vars", ASKED).success
    assert "provider_alliance" not in tables()
    assert "table_1" in tables()
    # Leave for participants is none for providers.
    refused = asked.run(
        "--vars", "{provider_marts: true, serve_participants: true, served_marts: [provider_alliance, who5_change]}"
    )
    assert not refused.success
    assert "which has a row per provider: take it out, or set serve_providers to true" in refused.output
    outcome = asked.run("--vars", "{provider_marts: true, serve_providers: true}")
    assert outcome.success, outcome.output
    assert "provider_alliance" in tables()
    assert "who5_change" not in tables()
    with duckdb.connect(str(served), read_only=True) as connection:
        assert connection.execute("from marts.provider_alliance order by all").fetchall() == asked.query(
            "from marts.provider_alliance order by all"
        )


def test_a_mart_that_is_not_built_cannot_be_served() -> None:
    with pytest.raises(VarError, match="served_marts names provider_alliance, which is no mart"):
        check_vars(ROOT, {"served_marts": ["provider_alliance"]})
    settings = check_vars(ROOT, {"served_marts": ["provider_alliance"], "provider_marts": True})
    assert settings.values["provider_marts"] is True
    with pytest.raises(VarError, match="var provider_marts is 1; it must be true or false"):
        check_vars(ROOT, {"provider_marts": 1})


# --- The contract


def test_the_contract_has_the_mart_where_it_is_built(tmp_path: Path) -> None:
    for name in ("dbt_project.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("models", "expectations", "studies"):
        shutil.copytree(ROOT / name, tmp_path / name)
    assert "provider_alliance" not in {one["name"] for one in marts_contract(read_project(tmp_path))["schema"]}
    settings = tmp_path / "dbt_project.yml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("provider_marts: false", "provider_marts: true"))
    tables = {one["name"]: one for one in marts_contract(read_project(tmp_path))["schema"]}
    contract = tables["provider_alliance"]
    assert [one["name"] for one in contract["properties"]] == [*KEYS, *FIGURES, "note"]
    assert contract["dataGranularityDescription"].startswith("One row per provider type and provider")
    classes = {one["name"]: one["classification"] for one in contract["properties"]}
    assert classes["alliance_mean"] == "restricted"
    options = {one["name"]: one.get("logicalTypeOptions", {}) for one in contract["properties"]}
    for expectation in read_project(tmp_path).suites["providers/provider_alliance"]["expectations"]:
        if expectation["type"] == "expect_column_values_to_be_between":
            given = expectation["kwargs"]
            bounds = {"minimum": given.get("min_value"), "maximum": given.get("max_value")}
            assert {name: options[given["column"]].get(name) for name in bounds} == bounds, given["column"]
    assert "the mean of a type is that of its participants with a named provider" in yaml.safe_dump(
        contract["quality"], width=1000
    )


# --- What a release tells


def release_of(database: Path, out: Path, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAPPORT_DB", str(database))
        return release(["--out", str(out), *arguments])


@pytest.mark.parametrize(
    ("counts", "gone"),
    [
        ([30, 20, 10], set()),
        # One alone would be known to have fewer than 10: the next goes with it, together they have 12 or more.
        ([30, 20, 10, 9], {2, 3}),
        ([30, 20, 10, 1], {1, 2, 3}),
        ([30, 20, 15, 1], {2, 3}),
        ([30, 20, 6, 6], {2, 3}),
        # 11 of two leaves each but 10 values, and none of them 11.
        ([30, 20, 6, 5], {1, 2, 3}),
        ([30, 3], {0, 1}),
        ([3], {0}),
        ([30, 20, 0, 0], set()),
        ([], set()),
    ],
)
def test_which_go_by_hand(counts: list[int], gone: set[int]) -> None:
    assert which_go(dict(enumerate(counts)), 10) == gone


@cache
def of_small() -> Tables:
    """The tables of a golden cohort beside which invented providers stand."""
    return marts_of_golden("small", excluded=(0, 120, 0, 0, 0, 0, 0))[1]


Sizes = dict[tuple[str, str | None], tuple[int, int]]
"""Participants of each provider, and rated sessions beyond the first of each."""


def sizes_of(therapists: Mapping[str | None, tuple[int, int]], coaches: Mapping[str | None, tuple[int, int]]) -> Sizes:
    types = {"therapist": therapists, "coach": coaches}
    return {(kind, name): size for kind, providers in types.items() for name, size in providers.items()}


def mart(sizes: Sizes, seed: int = 3) -> pd.DataFrame:
    """A mart in which providers have so many participants, and rated sessions beyond the first of each."""
    random = np.random.default_rng(seed)
    scores: dict[tuple[str, str | None], Sequence[float]] = {
        key: (random.integers(4, 11, size) / 2).tolist() for key, (size, _) in sizes.items()
    }
    frame = sums(scores)
    frame["rated_sessions"] += [further for _, further in sizes.values()]
    return provider_alliance(frame)


SIZES = sizes_of(
    {
        "prv_large": (140, 300),
        "prv_middle": (42, 60),
        "prv_few_more": (21, 4),
        "prv_some_more": (17, 12),
        "prv_first_only": (16, 0),
        "prv_companion": (11, 30),
        "prv_small": (7, 20),
        None: (15, 40),
    },
    {"prv_large": (33, 70), "prv_other": (28, 80), "prv_third": (26, 90)},
)


def written(tmp_path: Path, frame: pd.DataFrame, **options: object) -> Path:
    """A warehouse that has the mart."""
    return write_warehouse(tmp_path / "one.duckdb", {**of_small(), "provider_alliance": frame}, **options)  # type: ignore[arg-type]


def released_providers(tmp_path: Path, frame: pd.DataFrame, **options: object) -> pd.DataFrame:
    tmp_path.mkdir(exist_ok=True)
    database = written(tmp_path, frame, **options)
    assert release_of(database, tmp_path / "out", "--providers") == 0
    return open_release(tmp_path / "out").tables()["provider_alliance"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The released rows of invented providers."""
    return released_providers(tmp_path_factory.mktemp("shown"), mart(SIZES))


def test_small_providers_are_not_told_nor_who_hides_them(shown: pd.DataFrame, tmp_path: Path) -> None:
    named = {(row["provider_type"], row["provider_id"]) for row in shown.to_dict("records")}
    assert named >= {("coach", "prv_large"), ("coach", "prv_other"), ("coach", "prv_third")}
    assert ("therapist", "prv_companion") not in named
    assert ("therapist", "prv_small") not in named
    # 7 and 11 are 18 together, enough for two.
    assert shown["provider_id"].isna().sum() == 1
    assert len(shown) == len(SIZES) - 2
    assert release_of(written(tmp_path, mart(SIZES)), tmp_path / "out", "--providers") == 0
    assert_without(tmp_path / "out", {"prv_companion", "prv_small"})


def test_counts_are_rounded_and_few_further_sessions_are_withheld(shown: pd.DataFrame) -> None:
    found = shown.set_index(["provider_type", "provider_id"])
    assert found.loc[("therapist", "prv_large"), "participants"] == 142
    assert found.loc[("therapist", "prv_large"), "rated_sessions"] == 442
    # 21 participants with 25 rated sessions: 4 more, and 12 more of another so that nobody knows whose are few.
    assert pd.isna(found.loc[("therapist", "prv_few_more"), "rated_sessions"])
    assert pd.isna(found.loc[("therapist", "prv_some_more"), "rated_sessions"])
    assert found.loc[("therapist", "prv_few_more"), "participants"] == 22
    assert found.loc[("therapist", "prv_first_only"), ["participants", "rated_sessions"]].tolist() == [17, 17]
    assert found.loc["therapist", "suppressed_columns"].dropna().tolist() == ["rated_sessions"] * 2


def test_the_figures_of_a_type_are_those_of_the_shown_providers_as_they_are_shown(shown: pd.DataFrame) -> None:
    """Computed here anew, from rounded numbers and means, and the deviation within."""
    for _, rows in shown[shown["provider_id"].notna()].groupby("provider_type"):
        n, m = rows["participants"].astype(float), rows["alliance_mean"]
        centre = (n * m).sum() / n.sum()
        [sd] = rows["sd_within"].unique()
        between = (n * (m - centre) ** 2).sum() / (len(rows) - 1)
        n0 = (n.sum() - (n**2).sum() / n.sum()) / (len(rows) - 1)
        icc = max((between - sd**2) / (between + (n0 - 1) * sd**2), 0.0)
        np.testing.assert_allclose(rows["type_mean"], centre, atol=0.005 + 1e-9)
        np.testing.assert_allclose(rows["icc"], icc, atol=0.0005 + 1e-9)
        weight = n * icc / (1 + (n - 1) * icc)
        np.testing.assert_allclose(rows["shrunken_mean"], centre + weight * (m - centre), atol=0.005 + 1e-9)
        for z, name in ((-Z_95, "lower_95"), (Z_95, "upper_95"), (-Z_998, "lower_998"), (Z_998, "upper_998")):
            np.testing.assert_allclose(rows[name], centre + z * sd / np.sqrt(n), atol=0.005 + 1e-9)
        decimals = np.where(n < 100, 1, 2)
        assert all(round(value, places) == value for value, places in zip(m, decimals, strict=True))


@pytest.mark.builds
def test_no_figure_tells_more_than_rounded_number_and_mean(shown: pd.DataFrame, tmp_path: Path) -> None:
    """Other numbers of the same fives, other missing providers, with the same means: the same release."""
    other = mart(SIZES)
    is_small = other["provider_id"].isin(["prv_small", "prv_companion"])
    other["participants"] += np.where(is_small, 1, 0)
    other.loc[is_small, "alliance_mean"] = 1.5
    other.loc[other["provider_id"] == "prv_middle", "participants"] = 44
    other.loc[other["provider_id"] == "prv_large", "participants"] = [144, 30]
    for name in ("type_mean", "icc", "shrunken_mean", *LIMITS):
        other[name] = other[name].where(other[name].isna(), 3.3)
    pd.testing.assert_frame_equal(released_providers(tmp_path, other), shown)


@pytest.mark.builds
def test_a_type_with_few_participants_has_no_row(tmp_path: Path) -> None:
    sizes = sizes_of({"a": (4, 9), "b": (30, 90)}, {"c": (40, 90)})
    found = released_providers(tmp_path, mart(sizes))
    assert found["provider_id"].tolist() == ["c"]
    assert found["note"].tolist() == [ONE_PROVIDER]
    assert found[["shrunken_mean", "icc", *LIMITS]].isna().all(axis=None)
    page = build_page(read_release(tmp_path / "out", providers=True))
    assert "No provider is shown." in page
    assert "Only one provider." in page


@pytest.mark.builds
def test_nobody_is_shown_where_all_are_small(tmp_path: Path) -> None:
    frame = mart({("therapist", "a"): (4, 9), ("therapist", "b"): (3, 9), ("coach", "c"): (2, 3)})
    assert released_providers(tmp_path, frame).empty
    read_release(tmp_path / "out", providers=True)


def test_synthetic_data_are_marked_and_whole(tmp_path: Path) -> None:
    frame = mart(SIZES)
    found = released_providers(tmp_path, frame, synthetic=True)
    assert len(found) == len(frame)
    marked = found.set_index("provider_id")["suppressed_columns"]
    assert marked["prv_small"].split(",") == [*FIGURES, "note"]
    assert marked["prv_some_more"] == "rated_sessions"
    whole = frame.sort_values(list(KEYS), na_position="last").reset_index(drop=True)
    found = found.sort_values(list(KEYS), na_position="last").reset_index(drop=True)
    np.testing.assert_array_equal(found[list(FIGURES)].astype(float), whole[list(FIGURES)].astype(float))


def test_without_being_asked_a_release_has_no_provider(tmp_path: Path) -> None:
    database = written(tmp_path, mart(SIZES))
    assert release_of(database, tmp_path / "out") == 0
    assert "provider_alliance" not in open_release(tmp_path / "out").tables()
    assert_without(tmp_path / "out", {str(provider) for _, provider in SIZES if provider})
    assert "provider_alliance" not in tables_of(PUBLISHED)
    assert set(rules(PUBLISHED, providers=True)) - set(rules(PUBLISHED)) == {"provider_alliance"}
    assert not [step for step in steps_of(OF_THE_PROJECT) if "--providers" in step.command]


def test_a_build_without_providers_cannot_release_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = write_warehouse(tmp_path / "one.duckdb", of_small())
    assert release_of(database, tmp_path / "out", "--providers") == 1
    said = capsys.readouterr().err
    assert "has no marts.provider_alliance, because var provider_marts of its build is false" in said
    assert not (tmp_path / "out").exists()


# --- Beside the other tables


TYPES = ("teletherapy", "telecoaching", "both")


def hidden_beside(
    sizes: Sizes,
    cohort: tuple[int, int, int],
    ratings: Sequence[tuple[tuple[str, ...], int, int]] = (),
) -> tuple[list[str], list[str]]:
    """Which providers have no row, and which of the others no number of rated sessions, beside such a cohort."""
    frame = mart(sizes)
    rule = ProviderAlliance(Beside(dict(zip(TYPES, cohort, strict=True)), tuple(ratings)))
    hidden = {
        (figure.row, figure.column) for figure in rule.read("provider_alliance", frame, 10).figures if figure.hidden
    }
    gone = {row for row, column in hidden if column == "participants"}
    names = [f"{kind} {name}" for kind, name in sizes]
    without = {row for row, column in hidden if column == "rated_sessions"} - gone
    return [names[row] for row in sorted(gone)], [names[row] for row in sorted(without)]


SOME = sizes_of({"a": (40, 60), "b": (30, 60), "c": (20, 60)}, {"d": (50, 60), "e": (40, 60)})


@pytest.mark.parametrize(
    ("cohort", "gone"),
    [
        # Nobody saw both, and nobody rated two: 90 therapists' participants are the 90 of teletherapy.
        ((90, 90, 0), []),
        # 90 of 87: at most three rated two therapists. The two with the fewest participants go.
        ((87, 90, 0), ["therapist b", "therapist c"]),
        # 90 of 60, all of whom may have rated two or three: 15 at least.
        ((60, 90, 0), []),
        # Each has rated all but three of the three: 30 · 3 − 90 = 0 would be everybody; of 32 two have not rated "b".
        ((32, 90, 0), ["therapist b", "therapist c"]),
        # 30 saw both; 90 of 80 leave each number of them up to 10 who rated a therapist.
        ((80, 70, 30), []),
        # 90 of 84: of those 30 at most six rated a therapist.
        ((84, 70, 30), ["therapist b", "therapist c"]),
        # 12 saw both, 90 of 79 and 90 of 85: 11 at most rated a therapist, 5 a coach.
        ((79, 85, 12), ["coach d", "coach e"]),
        # 20 saw both; together they are 180 of 176: at most four rated several, though 12 and 12 of either type do not say so.
        ((78, 78, 20), ["therapist b", "therapist c"]),
    ],
)
def test_few_of_the_cohort_are_not_told_by_all_participants(cohort: tuple[int, int, int], gone: list[str]) -> None:
    assert hidden_beside(SOME, cohort)[0] == gone
    frame = mart(SOME)
    alone = ProviderAlliance().read("provider_alliance", frame, 10)
    assert not [figure for figure in alone.figures if figure.hidden], "the table alone hides none of it"


def test_a_provider_whom_nearly_everybody_rated_goes_with_another() -> None:
    """Of 60 clients of therapists 57 rated one of them: three have not."""
    sizes = sizes_of({"a": (57, 60), "b": (30, 60), "c": (20, 60)}, {"d": (50, 60)})
    assert hidden_beside(sizes, (60, 50, 0))[0] == ["therapist a", "therapist c"]
    assert hidden_beside(sizes, (70, 50, 0))[0] == []
    # All 50 of coaching rated the only coach: nobody is left over.
    assert hidden_beside({("coach", "d"): (50, 60)}, (0, 50, 0)) == ([], [])
    assert hidden_beside({("coach", "d"): (50, 60)}, (0, 46, 10))[0] == ["coach d"]


@pytest.mark.parametrize(
    ("told", "without"),
    [
        # Each of the three therapists has 60 further sessions: 270, and the coaches 210.
        (("therapist", "coach", 480, 0), []),
        # 477 ratings have both answers, so three have one.
        (("therapist", "coach", 477, 0), ["therapist a", "therapist b", "therapist c", "coach d", "coach e"]),
        (("therapist", "coach", 470, 0), []),
        # Of 205 coaches' ratings the trajectory shows all but five.
        (("coach", 205, 0), ["coach d", "coach e"]),
        # All but 12, of three hidden numbers: each may have ten.
        (("coach", 198, 3), ["coach d", "coach e"]),
        (("coach", 197, 3), []),
        # The months have three ratings more, of nobody in the cohort.
        (("therapist", 273, 0), ["therapist a", "therapist b", "therapist c"]),
    ],
)
def test_few_ratings_are_not_told_by_all_rated_sessions(told: tuple[str | int, ...], without: list[str]) -> None:
    *kinds, number, parts = told
    given = (tuple(str(kind) for kind in kinds), int(number), int(parts))
    assert hidden_beside(SOME, (60, 60, 60), [given]) == ([], without)


def test_providers_are_judged_beside_the_other_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 480 rated sessions 477 have both answers: what is told beside other tables goes in the judgement of all."""
    others = Beside(dict.fromkeys(TYPES, 60), ((("therapist", "coach"), 477, 0),))
    monkeypatch.setattr(rule_of_providers, "_beside", lambda tables, min_cell: others if "table_1" in tables else None)
    tables = {**of_small(), "provider_alliance": mart(SOME)}
    verdict = judge(tables, 10, rules=rules(PUBLISHED, providers=True), populations=populations(PUBLISHED))
    hidden = {row for row, column in verdict.hidden["provider_alliance"] if column == "rated_sessions"}
    assert hidden == set(range(len(SOME)))


def test_what_other_tables_tell_is_read_from_them(tmp_path: Path) -> None:
    """Of a golden cohort, by pandas: types, ratings with both answers, ratings in use, months, shown session numbers."""
    people, tables = marts_of_golden("small", excluded=(0, 120, 0, 0, 0, 0, 0))
    rule = ProviderAlliance().beside(tables, 10)
    assert rule.others is not None
    assert rule.others.participants == people["utilization_type"].value_counts().to_dict()
    _, ratings = cohorts.read("small")
    pairs = ratings[["bond_item", "goals_item"]].notna().all(axis=1).sum()
    told = [(kinds, number) for kinds, number, _ in rule.others.ratings]
    assert told[0] == (("therapist", "coach"), pairs)
    used = tables["source_summary"].set_index("table_name").loc["alliance_ratings", "used"]
    assert told[1] == (("therapist", "coach"), used)
    assert [kinds for kinds, _ in told[2:]] == [("therapist",), ("coach",)] * 2 + [("therapist", "coach")]
    months = tables["service_monthly"].query("measure == 'response_rate' and provider_type == 'coach'")
    assert told[3][1] == months["numerator"].sum()
    shown = tables["alliance_trajectory"].query("population == 'everyone' and provider_type == 'all'")
    gone = hidden_numbers(tables["alliance_trajectory"], 10, rule.others.participants)
    _, number, parts = rule.others.ratings[-1]
    assert number == shown.loc[~shown["session_number"].isin(gone), "participants"].sum()
    assert parts == shown["session_number"].isin(gone).sum() > 0
    assert ProviderAlliance().beside({"provider_alliance": mart(SOME)}, 10).others is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"provider_type": "doctor"}, "no rule for provider_type doctor"),
        ({"participants": None}, "participants is None"),
        ({"rated_sessions": 1}, "more participants than rated sessions"),
        ({"provider_id": "prv_large"}, "two rows for"),
    ],
)
def test_rows_without_a_rule_are_refused(change: dict[str, object], message: str) -> None:
    frame = mart(SIZES).assign(**change)
    with pytest.raises(DisclosureError, match=message):
        ProviderAlliance().read("provider_alliance", frame, 10)


def test_make_hands_the_choice_on() -> None:
    def commands(*arguments: str) -> str:
        done = subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout

    assert "rapport.release --out release --providers" in commands("release", "PROVIDERS=1")
    assert re.search(r"rapport\.report .*--providers", commands("report", "PROVIDERS=1"))
    assert "--providers" not in commands("release", "report")
    assert "--providers" not in commands("build")


# --- The page


@pytest.fixture
def pages(asked: Warehouse, workbench: Path) -> Path:
    """Releases of the built export, with and without providers."""
    folder = workbench / "provider-pages"
    if not folder.exists():
        assert release_of(asked.db, folder / "with", "--providers") == 0
        assert release_of(asked.db, folder / "without") == 0
    return folder


def released_as_if_real(asked: Warehouse, folder: Path) -> None:
    """A release with providers, with a lower threshold."""
    real = asked.db.with_name("real-providers.duckdb")
    shutil.copy(asked.db, real)
    with duckdb.connect(str(real)) as connection:
        connection.execute("update audit.publish set is_synthetic = false, min_cell = 5")
    assert release_of(real, folder, "--providers") == 0


@pytest.mark.builds
def test_the_page_shows_providers_only_if_asked(pages: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert report(["--release", str(pages / "with"), "--out", str(page)]) == 0
    assert 'id="providers"' not in page.read_text(encoding="utf-8")
    named = {
        str(row["provider_id"]) for row in read_release(pages / "with", providers=True).tables["provider_alliance"]
    }
    assert not [name for name in named - {"None"} if name in page.read_text(encoding="utf-8")]
    assert report(["--release", str(pages / "with"), "--out", str(page), "--providers"]) == 0
    shown = page.read_text(encoding="utf-8")
    assert all(name in shown for name in named - {"None"})
    assert "Sessions that name no provider" in shown
    page.unlink()
    assert report(["--release", str(pages / "without"), "--out", str(page), "--providers"]) == 2
    assert "has no provider_alliance: release it with `python -m rapport.release --providers`" in capfd.readouterr().err
    assert not page.exists()


@pytest.mark.builds
@pytest.mark.parametrize("kind", ["with", "real"])
def test_the_numbers_of_the_section_are_those_of_the_release(asked: Warehouse, pages: Path, kind: str) -> None:
    if kind == "real":
        released_as_if_real(asked, pages / kind)
    data = read_release(pages / kind, providers=True)
    section = re.search(r'<section id="providers".*?</section>', build_page(data), re.DOTALL)
    assert section is not None
    rows = data.tables["provider_alliance"]
    assert assert_equals_warehouse(section[0], data.tables) >= 6 * len(rows)
    assert section[0].count("<svg") == len({row["provider_type"] for row in rows if row["provider_id"]})
    body = section[0]
    for pattern in (r"<svg.*?</svg>", r'<span class="n".*?</span>', r"<span data-literal>.*?</span>"):
        body = re.sub(pattern, " ", body, flags=re.DOTALL)
    body = re.sub(r"<th[^>]* data-literal>.*?</th>", " ", body)
    text = re.sub(r"<[^>]+>", "", body)
    assert not re.search(r"\d", text), [line for line in text.splitlines() if re.search(r"\d", line)]


def of(mean: float, size: float, half: float = 0.4) -> Record:
    """A provider whose type has mean 4.5, with a 95% limit so far away."""
    row = {
        **{"provider_type": "coach", "provider_id": "p", "alliance_mean": mean, "participants": size, "type_mean": 4.5},
        **{"lower_95": 4.5 - half, "upper_95": 4.5 + half},
        **{"lower_998": 4.5 - half * Z_998 / Z_95, "upper_998": 4.5 + half * Z_998 / Z_95},
    }
    return Record("provider_alliance", row)


def test_who_is_beyond_a_limit_and_who_only_by_rounding() -> None:
    assert place(of(4.5, 12), 1) is None
    assert place(of(4.11, 12), 1) is None
    assert place(of(4.09, 12), 1) == ("95%", False)
    assert place(of(3.86, 12), 1) == ("99.8%", False)
    assert place(of(4.91, 12), 1) == ("95%", True)
    # Of 12, which may be 10, the limit may be 0.4 · √1.2 = .44 away, and 4.1 may be 4.15: .35 away.
    assert place(of(4.1, 12), 5) is None
    assert place(of(4.05, 12), 5) is None
    assert place(of(4.0, 12), 5) == ("95%", False)
    # From 100 on a mean has two decimals.
    assert place(of(4.08, 102), 5) == ("95%", False)
    no_limits = of(3.0, 12)
    assert place(Record("provider_alliance", {**no_limits.row, "upper_95": None, "upper_998": None}), 1) is None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = Browser()
    yield found
    found.driver.quit()


@pytest.mark.builds
@pytest.mark.parametrize("width", ["laptop", "phone"])
def test_the_funnel_in_a_browser(pages: Path, browser: Browser, tmp_path: Path, width: str) -> None:
    """Points lie in the picture, its words can be read, and nothing is wider than the screen."""
    path = tmp_path / "page.html"
    data: Published = read_release(pages / "with", providers=True)
    path.write_text(build_page(data), encoding="utf-8")
    browser.look(width)
    browser.open(path)
    found = browser.run(
        """
        const all = [...document.querySelectorAll('#providers svg')].map(svg => {
            const box = svg.getBoundingClientRect();
            const points = [...svg.querySelectorAll('circle, .signal')].map(one => one.getBoundingClientRect());
            const words = [...svg.querySelectorAll('text')].map(one => one.getBoundingClientRect());
            const within = one => one.left >= box.left - 1 && one.right <= box.right + 1
                && one.top >= box.top - 1 && one.bottom <= box.bottom + 1;
            return [points.length, points.every(within), words.every(within), Math.min(...words.map(w => w.height))];
        });
        return [all, document.documentElement.scrollWidth <= window.innerWidth];
        """
    )
    named = [row for row in data.tables["provider_alliance"] if row["provider_id"]]
    assert sum(count for count, *_ in found[0]) == len(named)
    assert all(points and words and height >= 9 for _, points, words, height in found[0])
    assert found[1]
