"""The attacker of ``attacker.py`` on a few releases, and against releases without protection; 40 are `make attack`."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any

import attacker_of_providers
import numpy as np
import pandas as pd
import pytest
from attacker import (
    KINDS,
    MIN_CELL,
    PARTS,
    READ,
    SESSION_NUMBERS,
    Attacker,
    Narrowed,
    Release,
    agrees_f,
    agrees_icc,
    agrees_interval,
    agrees_mean,
    agrees_percentile,
    agrees_satterthwaite,
    agrees_t,
    attack,
    attack_bars,
    attack_months,
    beyond_the_files,
    copies_of,
    draw,
    on_release,
    on_seed,
    one_release,
    one_warehouse,
    read_files,
    read_page,
    read_release,
    span,
    unread_columns,
)
from released import marts_of, marts_of_golden, write_warehouse
from scipy import stats
from sufficient_statistics import cohorts

from rapport.disclosure import Verdict, count, judge, quiet_solver
from rapport.disclosure import sensitivity as rules_of_sensitivity
from rapport.disclosure import study as rules_of_study
from rapport.disclosure.sensitivity import hidden_numbers
from rapport.release import make_release, rescale, rescale_sensitivity
from rapport.release import protect as protecting
from rapport.release.publication import Publication, read_publication
from rapport.release.rounding import of_mean


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release of an export of 69 people, and its page."""
    with quiet_solver():
        return one_release(20202, tmp_path_factory.mktemp("one"))


def holds(size: int, found: list[Narrowed], attacker: Attacker) -> None:
    assert len(found) > 3
    assert attacker.statistics > 50, "the attacker reads the statistics"
    assert not attacker.unread, "every statistic is that of its rounded n"
    assert len(attacker.told()) >= 2
    assert min(left for left, _ in attacker.told()) >= 4, "and tells hardly more of it than rounding does"
    assert not [one for one in found if one.is_false], "the attacker reasons falsely"
    assert not [one for one in found if one.is_broken]


@pytest.fixture(scope="module")
def of_two_instruments(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release of an export with a second instrument, and its page."""
    with quiet_solver():
        return one_release(20207, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """The files of a release of 2,500 participants, of which nearly everything is shown."""
    folder = tmp_path_factory.mktemp("large")
    _, tables = marts_of_golden("large", percentiles=True)
    with quiet_solver():
        make_release(write_warehouse(folder / "w.duckdb", tables), folder / "out")
    return read_files(folder / "out")


def test_no_small_count_of_a_release_is_narrowed(one: Release) -> None:
    with quiet_solver():
        result = on_release(one)
    holds(*result)


@pytest.mark.builds
def test_no_small_count_of_two_instruments_is_narrowed(of_two_instruments: Release) -> None:
    with quiet_solver():
        _, found, attacker = on_release(of_two_instruments)
    assert sum("phq9" in one.name for one in found) > 1
    assert attacker.statistics > 500
    assert not attacker.unread
    assert min(left for left, _ in attacker.told()) >= 3
    assert not [one for one in found if one.is_false or one.is_broken]


@pytest.mark.builds
def test_no_small_count_of_a_larger_release_is_narrowed(tmp_path: Path) -> None:
    with quiet_solver():
        result = on_seed(20205, tmp_path)
    holds(*result)


@pytest.mark.builds
def test_without_protection_the_attacker_finds_every_small_count(tmp_path: Path) -> None:
    with quiet_solver():
        release = one_release(20202, tmp_path, synthetic=True)
        assert json.loads((release.folder / "manifest.json").read_text())["protection"] == "marked"
        attacker = read_release(read_files(release.folder), 1, MIN_CELL, release.page)
        found = attack(release.people, release.excluded, attacker)
        months, _ = attack_months(release.marts["service_monthly"], read_files(release.folder), 1)
    assert len(found) > 25
    assert len(months) > 50
    assert all(
        one.low == one.truth == one.high
        for one in (*found, *months)
        if "'sex'" not in one.name or "baseline" not in one.name
    )


@pytest.mark.builds
def test_rounding_alone_does_not_protect(tmp_path: Path) -> None:
    """Without complementary suppression what is left of a total is known."""
    from released import disclose

    people, tables = marts_of(*draw(20201)[:2], draw(20201)[2])
    with quiet_solver():
        bare = disclose(tables, MIN_CELL, secondary=False)
        bare["verdicts"] = pd.DataFrame(columns=["table_name", "evaluated"])
        found = attack(people, draw(20201)[2], read_release(bare, 1, MIN_CELL))
    assert any(one.low == one.truth == one.high for one in found)


def test_bars_with_gaps_are_found_by_the_moments() -> None:
    people, tables = marts_of(*draw(20201)[:2], draw(20201)[2])
    found = attack_bars(people, tables, 1)
    assert found
    assert all(one.low == one.truth == one.high for one in found), "bars that are not merged are counts"


def test_statistics_at_full_precision_tell_n() -> None:
    for n in (14, 57, 204):
        t = 2.104
        p = float(2 * stats.t.sf(t, n - 6))
        assert span(lambda m, p=p, n=n: abs(2 * stats.t.sf(2.104, m - 6) - p) < 1e-12, 7, 500) == (n, n)
        low, high = span(agrees_t(2.1, round(p, 3), 6), 7, 2000) or (0, 0)
        assert low <= n <= high
        low, high = span(agrees_f(3.21, round(float(stats.f.sf(3.21, 2, n - 3)), 3), 2, 3), 4, 2000) or (0, 0)
        assert low <= n <= high
        half = float(stats.t.ppf(0.975, n - 1)) * 2.134
        low, high = span(agrees_interval(9.0, 2.134, 9.0 - half, 9.0 + half, 1), 2, 2000) or (0, 0)
        assert low <= n <= high
        assert high - low <= n / 5 + 5 or n > 100
    ages = np.array([30, 31, 35, 35, 36, 40, 41, 44, 44, 52, 60])
    agreeing = [n for n in range(10, 15) if agrees_mean(round(float(ages.mean()), 4))(n)]
    assert agreeing == [11]
    assert len([n for n in range(10, 15) if agrees_mean(round(float(ages.mean()), 1))(n)]) == 5


@lru_cache
def judged(seed: int) -> tuple[Publication, Verdict]:
    """A publication, and what disclosure control hides of it: that no digit changes."""
    found: list[Verdict] = []

    def kept(*arguments: Any, **options: Any) -> Verdict:
        found.append(judge(*arguments, **options))
        return found[-1]

    with tempfile.TemporaryDirectory() as folder, quiet_solver(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(protecting, "judge", kept)
        publication = read_publication(one_warehouse(seed, Path(folder))[3])
        protecting.protect(publication)
        return publication, found[0]


def told_of(seed: int, monkeypatch: pytest.MonkeyPatch, *, of_rounded: bool = True, **instead: object) -> Attacker:
    """What the attacker knows of a release, if need be of one that is made without a part of its protection."""
    publication, verdict = judged(seed)
    with monkeypatch.context() as patch:
        for name, function in {"judge": lambda frames, least, **options: verdict, **instead}.items():
            patch.setattr(protecting, name, function)
        return read_release(protecting.protect(publication), 5, MIN_CELL, of_rounded=of_rounded)


OLD: dict[str, tuple[int, dict[str, object]]] = {
    "percentiles to two decimals": (20204, {"of_percentile": lambda variable, value: round(value, 2)}),
    "medians to two decimals": (20205, {"of_median": lambda variable, value, n: round(value, 2)}),
    "means beside those of their parts": (20204, {"of_mean": lambda n, sd=None, step=1: of_mean(n, step=step)}),
    "statistics of the exact n": (20204, {"as_of_rounded_n": lambda records, base, study, step=None: None}),
}


@pytest.mark.builds
@pytest.mark.parametrize("what", OLD)
def test_more_digits_tell_the_number_behind_a_rounded_count(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker solves a release with each of these; with what takes its place the numbers stay."""
    seed, instead = OLD[what]
    old = told_of(seed, monkeypatch, of_rounded=what != "statistics of the exact n", **instead)
    new = told_of(seed, monkeypatch)
    assert min(left for left, _ in old.told()) <= 3, old.told()
    assert len(new.told()) == len(old.told()) >= 8
    assert min(left for left, _ in new.told()) >= 4, new.told()
    assert not new.unread


@pytest.mark.builds
def test_statistics_of_the_exact_n_do_not_agree_with_the_rounded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    instead = OLD["statistics of the exact n"][1]
    assert told_of(20204, monkeypatch, **instead).unread > 3


def test_a_percentile_is_solved_for_n() -> None:
    """Of eleven ages the 95th percentile lies half way between two; a whole one any number can have."""
    ages = np.array([30, 31, 35, 35, 36, 40, 41, 44, 44, 52, 53])
    mean, sd = round(float(ages.mean()), 2), round(float(ages.std(ddof=1)), 2)

    def fits(value: float, half: float) -> list[int]:
        test = agrees_percentile(value, half, 95, mean, sd, 18, None)
        return [n for n in range(10, 15) if test(n)]

    assert np.quantile(ages, 0.95) == 52.5
    # Of 10 to 14 it lies .55, .5, .45, .4 and .35 of the way: so many twentieths times a whole number are to be .5, .55.
    assert fits(52.5, 0.005) == [10, 11, 12, 14]
    assert fits(52.55, 0.005) == [10, 12, 14]
    assert fits(52.0, 0.5) == fits(53.0, 0.5) == [10, 11, 12, 13, 14]
    scores = np.array([*[3.0] * 3, *[4.0] * 4, 4.5, 5.0, 5.0, 5.0])  # one rating each
    mean, sd = round(float(scores.mean()), 2), round(float(scores.std(ddof=1)), 2)
    for value, half, expected in ((3.25, 0.005, [11]), (3.0, 0.25, [10, 11, 12, 13, 14])):
        test = agrees_percentile(value, half, 25, mean, sd, 1, lambda n: 2)
        assert set(expected) <= {n for n in range(10, 15) if test(n)}


# --- What the attacker reads


@pytest.mark.builds
def test_every_column_of_a_release_is_read_or_holds_no_number_of_people(of_two_instruments: Release) -> None:
    """A new table or column of a release fails here until the attacker knows it."""
    tables = read_files(of_two_instruments.folder)
    assert unread_columns(tables) == []
    assert set(READ) <= set(tables)
    new = {**tables, "providers": pd.DataFrame({"provider_type": ["coach"], "providers": [12]})}
    new["table_1"] = tables["table_1"].assign(weight=1)
    assert unread_columns(new) == ["table_1.weight", "providers.provider_type", "providers.providers"]


def signature(tables: dict[str, pd.DataFrame]) -> object:
    """All that the attacker enters, before anything is solved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Attacker, "solve", lambda self: None)
        attacker = read_release(tables, 5, MIN_CELL)
    _, months = attack_months(pd.DataFrame(columns=["month", "provider_type"]), tables, 5)
    tests = {key: [repr(closure(test)) for test in some] for key, (_, some) in attacker.tests.items()}
    together = [repr(closure(test)) for _, test in attacker.joint]
    entered = [
        (row.tobytes(), low, high) for row, low, high in zip(attacker.rows, attacker.low, attacker.high, strict=True)
    ]
    of_months = [
        (row.tobytes(), low, high) for row, low, high in zip(months.rows, months.low, months.high, strict=True)
    ]
    return tests, together, entered, of_months, attacker.unread, months.unread


def closure(function: Any) -> list[object]:
    """What a function was made of."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [closure(one) if callable(one) else one for one in cells if not isinstance(one, Attacker)]


SELDOM = {"sensitivity_results.note": "an error is lacking: test_a_leverage_of_1_is_not_told"}
"""What a reader finds in few releases, and the test in which it matters."""


@pytest.mark.builds
def test_a_column_that_is_read_matters_to_the_attacker(
    of_two_instruments: Release, large: dict[str, pd.DataFrame]
) -> None:
    """Without it the attacker enters something else: what is declared to be read is read."""
    idle = {f"{name}.{column}" for name, columns in READ.items() for column in columns}
    for tables in (large, read_files(of_two_instruments.folder)):
        whole = signature(tables)
        assert whole == signature(tables)
        for known in sorted(idle):
            name, column = known.split(".")
            if name in tables and is_of_use(tables, name, column, whole):
                idle.remove(known)
    assert idle == SELDOM.keys()


def is_of_use(tables: dict[str, pd.DataFrame], name: str, column: str, whole: object) -> bool:
    """Whether the attacker enters something else without a column, or expects it."""
    blank = tables[name].assign(**{column: np.nan})
    try:
        return signature({**tables, name: blank}) != whole
    except (ValueError, TypeError, KeyError, OverflowError):
        return True


@pytest.mark.builds
def test_the_page_of_two_instruments_tells_nothing_beside_the_files(of_two_instruments: Release) -> None:
    assert beyond_the_files(read_files(of_two_instruments.folder), of_two_instruments.page) == []


def test_the_page_tells_nothing_beside_the_files(one: Release) -> None:
    tables = read_files(one.folder)
    assert beyond_the_files(tables, one.page) == []
    hidden = tables["table_1"].assign(value=np.nan)
    assert len(beyond_the_files({**tables, "table_1": hidden}, one.page)) > 5


# --- What a release told before each of these rules


def narrowed(seed: int, folder: Path, where: str) -> list[Narrowed]:
    """Small counts of which the attacker finds fewer candidates than ``MIN_CELL``, by their names."""
    with quiet_solver():
        _, found, _ = on_seed(seed, folder)
    return [one for one in found if one.is_broken and where in one.name]


@pytest.mark.builds
def test_errors_of_a_type_bound_how_many_of_it_miss_a_predictor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of 12 or so who saw therapists reports no sex: the limits of the type's line say that it is one at most."""
    monkeypatch.setattr(rules_of_study.InferenceResults, "_with_few_missing", lambda *_: set())
    [one] = narrowed(20204, tmp_path, "'sex': 'missing', 'utilization_type'")
    assert (one.truth, one.low, one.high) == (1, 0, 1)


@pytest.mark.builds
def test_people_of_the_alliance_count_sessions_without_a_rating(one: Release) -> None:
    tables = read_files(one.folder)
    months = tables["service_monthly"]
    assert months.loc[months["measure"] == "alliance_mean", "people_at_least"].isna().all()
    exact = one.marts["service_monthly"]
    people = months["people_at_least"].where(months["value"].isna(), exact["people_at_least"] // 5 * 5 + 2)
    with quiet_solver():
        found, _ = attack_months(exact, {**tables, "service_monthly": months.assign(people_at_least=people)}, 5)
    assert any(one.is_broken and one.name.endswith("response_rate, not") for one in found)


@pytest.mark.builds
@pytest.mark.parametrize("name", ["_equivalence", "_welch"])
def test_tests_of_groups_are_made_of_the_groups(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left as they were, they are no tests of groups of the sizes that are shown."""
    monkeypatch.setattr(rescale_sensitivity, name, lambda *arguments: None)
    assert told_of(20204, monkeypatch).unread
    monkeypatch.undo()
    assert not told_of(20204, monkeypatch).unread


def test_degrees_of_freedom_are_those_of_groups_of_the_shown_sizes() -> None:
    """Two groups of 14 with one variance have all 26; of two groups of 12 that is too much."""
    record = {"estimate": 0.6, "std_error": 0.1, "df_residual": 26.0, "statistic": 1.0}
    assert [n for n in range(10, 15) if agrees_satterthwaite(26.0)(n, n)] == [14]
    rescale_sensitivity._brunner_munzel(record, [14.0, 14.0], 5)
    assert record["df_residual"] == 22
    assert agrees_satterthwaite(22.0)(12, 12)


def test_f_and_icc_do_not_tell_the_number_of_providers() -> None:
    """Ten providers of 340 people have 34 each at most, twelve have 28."""
    size = 33.9
    record = {"statistic": 1.4, "df": 9.0, "df_residual": 330.0, "p_value": 0.2, "estimate": 0.4 / (0.4 + size)}
    # As many digits of F as say it: of 1.4 alone eleven providers might be meant, too.
    exact = {**record, "statistic": 1.40001, "estimate": round(0.40001 / (0.40001 + size), 5)}
    assert [g for g in range(10, 15) if agrees_icc({**exact, "df_residual": 340.0 - g})(340, g)] == [10]
    rescale_sensitivity._providers(record, 340.0, 342.0, 5)
    assert (record["df"], record["df_residual"]) == (11, 330)
    assert agrees_icc({**record, "estimate": round(record["estimate"], 3)})(342, 12)


def test_a_mean_of_scores_tells_n_by_their_step() -> None:
    """WHO-5 scores are multiples of 4: 7.6 is a mean change of 10 or 11 people, and of none of 12 to 14."""
    assert [n for n in range(10, 15) if agrees_mean(7.6, 4)(n)] == [10, 11]
    assert [n for n in range(10, 15) if agrees_mean(8.0, 4)(n)] == [10, 11, 12, 13, 14]
    for n, mean in ((10, 7.6), (13, 3.077), (42, 0.571), (403, 7.613)):
        shown = n // 5 * 5 + 2
        given = rescale.mean_as_given(mean, shown, 0.0, 4)
        assert [m for m in range(shown - 2, shown + 3) if agrees_mean(given, 4)(m)] == list(range(shown - 2, shown + 3))


@pytest.mark.builds
def test_means_of_scores_with_all_their_digits_tell_n(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = 20202 + 9
    monkeypatch.setattr(rescale, "mean_as_given", lambda mean, n, sd, step: mean)
    monkeypatch.setattr(protecting, "significant", lambda value, n, most=3: 3)
    old = told_of(seed, monkeypatch)
    assert min(left for left, _ in old.told()) <= 2, old.told()


def one_man_screened_positive() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A cohort of 300 with many men, of whom one screened positive."""
    from sufficient_statistics import cohorts

    rng = np.random.default_rng(3)
    shares = {"teletherapy": 80, "telecoaching": 170, "both": 50}
    people = cohorts._participants(rng, 300, shares, positive=0.4, sex_missing=0.0)
    men = people.index[(people["sex"] == "male") & (people["baseline_score"] <= 28)]
    people.loc[men[1:], "baseline_score"] = 40
    return people, cohorts._ratings(rng, people)


@pytest.mark.builds
def test_a_leverage_of_1_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people, tables = marts_of(*one_man_screened_positive(), percentiles=True)
    alone = (people["baseline"] == "positive") & (people["sex"] == "male")
    assert alone.sum() == 1
    assert "leverage of 1" in str(tables["sensitivity_results"]["note"].unique())
    write_warehouse(tmp_path / "w.duckdb", tables)

    def told(out: Path) -> tuple[int, int]:
        with quiet_solver():
            make_release(tmp_path / "w.duckdb", out)
            attacker = read_release(read_files(out), 5, MIN_CELL)
            return attacker.narrow(attacker.cohort(baseline="positive", sex="male"))

    low, high = told(tmp_path / "new")
    assert high - low >= MIN_CELL - 1
    monkeypatch.setattr(rules_of_sensitivity, "_is_short", lambda *_: False)
    assert told(tmp_path / "old") == (1, 1)


@pytest.mark.builds
def test_ratings_of_a_provider_type_do_not_count_a_small_utilization_type() -> None:
    """The 40 of teletherapy and the 8 of both rated a first session with a therapist: 48, of 40, tell the 8 of both."""
    from sufficient_statistics import cohorts

    rng = np.random.default_rng(5)
    people = cohorts._participants(rng, 148, {"teletherapy": 40, "telecoaching": 100, "both": 8}, positive=0.4)
    ratings = cohorts._ratings(rng, people, response=1.0)
    _, tables = marts_of(people, ratings)
    with quiet_solver():
        verdict = judge_of(tables)
    trajectory = tables["alliance_trajectory"]
    gone = {row for row, column in verdict.hidden["alliance_trajectory"] if column == "participants"}
    by_kind = trajectory.assign(gone=trajectory.index.isin(gone)).groupby("provider_type")["gone"]
    assert by_kind.all()[["coach", "therapist"]].all()
    first = trajectory.query("population == 'everyone' and session_number == '1'").set_index("provider_type")
    attacker = Attacker(1, MIN_CELL)
    attacker.count(attacker.cohort(utilization_type="teletherapy"), 40)
    seen = first.loc["therapist", "participants"]
    attacker.add(attacker.cohort(utilization_type=("teletherapy", "both")), seen, np.inf)
    assert seen > 40
    assert attacker.narrow(attacker.cohort(utilization_type="both"))[0] == seen - 40


def rated(*rows: tuple[str, str, int, int]) -> pd.DataFrame:
    """A trajectory: provider type, number of the session, who rated it, and how many ratings have a single answer."""
    records = [
        {
            **{"population": "everyone", "provider_type": kind, "session_number": number, "participants": people},
            **{"ratings": people, "paired_ratings": people - alone},
        }
        for kind, number, people, alone in rows
    ]
    return pd.DataFrame(records)


def test_nearly_everybody_is_told_by_who_is_left() -> None:
    """57 of 60 who saw a coach rated their first session: three did not. 45 rated the second, 40 the third."""
    numbers = {"1": 57, "2": 45, "3": 40}
    of_coaches = [(kind, number, people, 0) for kind in ("coach", "all") for number, people in numbers.items()]
    attacker = Attacker(1, MIN_CELL)
    attacker.count(attacker.cohort(), 60)
    attacker.count(attacker.other(*(("1", part) for part in PARTS)), 57)
    assert attacker.narrow(attacker.cohort() - attacker.other(*(("1", part) for part in PARTS))) == (3, 3)
    assert hidden_numbers(rated(*of_coaches), MIN_CELL, {}) == set()
    assert hidden_numbers(rated(*of_coaches), MIN_CELL, {"telecoaching": 60}) == {"1", "2"}
    assert hidden_numbers(rated(*of_coaches), MIN_CELL, {"telecoaching": 57}) == set()
    assert hidden_numbers(rated(*of_coaches), MIN_CELL, {"telecoaching": 67}) == set()


def test_ratings_with_one_answer_are_told_by_those_with_two() -> None:
    """57, 45 and 40 sessions were rated, 138 with two answers, so four with one; of 13 and more nobody knows how many."""
    rows = [
        (kind, number, people, 2 * (number != "3")) for kind in ("coach", "all") for number, people in RATED.items()
    ]
    attacker = Attacker(1, MIN_CELL)
    for number in SESSION_NUMBERS:
        attacker.count(attacker.other(*((number, part) for part in PARTS)), RATED.get(number, 0))
    attacker.add(attacker.other(*(("later", kind) for kind in KINDS)), 0, 0)
    alone = attacker.other("single answers")
    attacker.add(attacker.ratings(*KINDS) - alone, 138, 138)
    assert attacker.narrow(alone) == (4, 4)
    assert hidden_numbers(rated(*rows), MIN_CELL, {}) == {"2", "3"}
    further = [(kind, "13+", 20, 0) for kind in ("coach", "all")]
    assert hidden_numbers(rated(*rows, *further), MIN_CELL, {}) == set()
    assert hidden_numbers(rated(*((*row[:3], 4 * row[3]) for row in rows)), MIN_CELL, {}) == set()


RATED = {"1": 57, "2": 45, "3": 40}


@pytest.mark.builds
def test_reliable_and_plain_changes_are_of_one_direction() -> None:
    """90 changed reliably for the better, 83 of them by ten points: who did the one but not the other are seven."""
    publication, verdict = judged(20204)
    rates = (
        publication.tables["sensitivity_results"].query("analysis == 'reliable_change'").set_index("term")["estimate"]
    )
    assert rates["threshold"] < 10
    assert round(rates["reliable_improvement"] * 123) == 90
    small = {"reliable": "improved", "improved": "no"}
    assert count("cohort", baseline="positive", **small) in verdict.small


def test_a_type_is_told_by_all_its_providers() -> None:
    """Two therapists with 41 and 24 of 60 who saw therapists only: at most five rated both."""
    table = pd.DataFrame(
        {
            "provider_type": "therapist",
            "provider_id": ["a", "b"],
            "participants": [41, 24],
            "rated_sessions": [90, 60],
            **dict.fromkeys(("alliance_mean", "sd_within", "icc", "shrunken_mean", "type_mean"), np.nan),
        }
    )

    def told(missing: list[tuple[str, str]]) -> tuple[int, int]:
        everyone = attacker_of_providers.providers_of(table, missing)
        attacker = Attacker(1, MIN_CELL, further=attacker_of_providers.unknowns_of(everyone))
        attacker.count(attacker.cohort(utilization_type="teletherapy"), 60)
        attacker.count(attacker.cohort(), 60)
        attacker_of_providers.enter(attacker, table, missing)
        return attacker.narrow(attacker.other("rated several"))

    assert told([]) == (5, 5)
    # With a third one, who has no row, five or more rated several.
    low, high = told([("therapist", "c")])
    assert low <= 5
    assert high >= 60


@pytest.mark.builds
def test_figures_of_a_type_are_held_against_the_rows_that_are_shown(large_by_provider: pd.DataFrame) -> None:
    assert attacker_of_providers.concludes_on_what_is_shown(large_by_provider)
    for column in ("type_mean", "icc", "shrunken_mean", "lower_95", "upper_998"):
        other = large_by_provider.assign(**{column: large_by_provider[column] + 0.02})
        assert not attacker_of_providers.concludes_on_what_is_shown(other), column


@pytest.fixture(scope="module")
def large_by_provider() -> pd.DataFrame:
    """The alliance by provider of 2,500 participants, as it is shown."""
    participants, ratings = cohorts.read("large")
    sessions = cohorts.sessions("any", participants)
    _, tables = marts_of(participants, ratings, sessions=sessions)
    with tempfile.TemporaryDirectory() as folder, quiet_solver():
        database = write_warehouse(Path(folder) / "w.duckdb", tables)
        return protecting.protect(read_publication(database, providers=True))["provider_alliance"]


def judge_of(tables: dict[str, pd.DataFrame]) -> Verdict:
    from released import judge as judge_tables

    return judge_tables(tables, MIN_CELL)


def test_holms_factors_place_a_hidden_p() -> None:
    """With .01 and .04 adjusted to .03 and .08 of three, the one that is hidden lies above; with .12 below .04."""
    from attacker import _adjusted, holm_of, least_group

    np.testing.assert_allclose(holm_of([0.01, 0.04, 0.5]), [0.03, 0.08, 0.5])
    assert least_group(0.9) == 1
    assert least_group(0.0001) > 3
    attacker = Attacker(5, MIN_CELL)
    rows = [
        {"term": "alliance_by_country", "p_value": np.nan, "p_adjusted": np.nan},
        {"term": "alliance_vs_age", "p_value": 0.02, "p_adjusted": 0.04},
        {"term": "alliance_by_utilization", "p_value": 0.5, "p_adjusted": 0.5},
    ]
    _adjusted(attacker, rows)
    assert attacker.low[-1] == least_group(0.0205) > 1


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"\d*\.\d+|\d+", text.replace(",", "")))


def test_the_page_is_read(one: Release) -> None:
    out, page = one.folder, one.page
    numbers = read_page(page)
    cells = [cell for line in csv.reader(io.StringIO(copies_of(page))) for cell in line]
    copied, visible = set().union(*map(numbers_in, cells)), numbers_in(unescape(re.sub(r"<[^>]+>", " ", page)))
    assert len(copied) > 50
    assert copied <= visible, "files for copying hold what the page shows"
    tables = read_files(out)
    assert len(numbers) > 100
    shown = {(keys["step"], column): value for table, keys, column, value in numbers if table == "eligibility_flow"}
    for row in tables["eligibility_flow"].to_dict("records"):
        if not pd.isna(row["participants"]):
            assert shown[str(row["step"]), "participants"] == row["participants"]
