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

import numpy as np
import pandas as pd
import pytest
from attacker import (
    MIN_CELL,
    Attacker,
    Narrowed,
    agrees_f,
    agrees_interval,
    agrees_mean,
    agrees_percentile,
    agrees_t,
    attack,
    attack_bars,
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
)
from released import marts_of
from scipy import stats

from rapport.disclosure import RULES, Verdict, judge, quiet_solver
from rapport.release import protect as protecting
from rapport.release.publication import Publication, read_publication
from rapport.release.rounding import of_mean


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, tuple[int, ...], Path, str]:
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


def test_no_small_count_of_a_release_is_narrowed(one: tuple[pd.DataFrame, tuple[int, ...], Path, str]) -> None:
    with quiet_solver():
        result = on_release(*one)
    holds(*result)


def test_no_small_count_of_a_larger_release_is_narrowed(tmp_path: Path) -> None:
    with quiet_solver():
        result = on_seed(20205, tmp_path)
    holds(*result)


def test_without_protection_the_attacker_finds_every_small_count(tmp_path: Path) -> None:
    with quiet_solver():
        people, excluded, out, page = one_release(20202, tmp_path, synthetic=True)
        assert json.loads((out / "manifest.json").read_text())["protection"] == "marked"
        found = attack(people, excluded, read_release(read_files(out), 1, MIN_CELL, page))
    assert len(found) > 5
    assert all(
        one.low == one.truth == one.high for one in found if "'sex'" not in one.name or "baseline" not in one.name
    )


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
    with tempfile.TemporaryDirectory() as folder, quiet_solver():
        publication = read_publication(one_warehouse(seed, Path(folder))[-1])
        return publication, judge({name: publication.tables[name] for name in RULES}, MIN_CELL)


def told_of(seed: int, monkeypatch: pytest.MonkeyPatch, *, of_rounded: bool = True, **instead: object) -> Attacker:
    """What the attacker knows of a release, if need be of one that is made without a part of its protection."""
    publication, verdict = judged(seed)
    with monkeypatch.context() as patch:
        for name, function in {"judge": lambda frames, least: verdict, **instead}.items():
            patch.setattr(protecting, name, function)
        return read_release(protecting.protect(publication), 5, MIN_CELL, of_rounded=of_rounded)


OLD: dict[str, tuple[int, dict[str, object]]] = {
    "percentiles to two decimals": (20204, {"of_percentile": lambda variable, value: round(value, 2)}),
    "medians to two decimals": (20205, {"of_median": lambda variable, value, n: round(value, 2)}),
    "means beside those of their parts": (20204, {"of_mean": lambda n, sd=None: of_mean(n)}),
    "statistics of the exact n": (20204, {"as_of_rounded_n": lambda records, base, study: None}),
}


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


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"\d*\.\d+|\d+", text.replace(",", "")))


def test_the_page_is_read(one: tuple[pd.DataFrame, tuple[int, ...], Path, str]) -> None:
    _, _, out, page = one
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
