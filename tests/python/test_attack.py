"""The attacker of ``attacker.py`` on a few releases, and against releases without protection; 40 are `make attack`."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from attacker import (
    MIN_CELL,
    agrees_f,
    agrees_interval,
    agrees_mean,
    agrees_t,
    attack,
    attack_bars,
    copies_of,
    draw,
    on_seed,
    one_release,
    read_files,
    read_page,
    read_release,
    span,
)
from released import marts_of
from scipy import stats

from rapport.disclosure import quiet_solver


@pytest.mark.parametrize("seed", [20202, 20205])
def test_no_small_count_of_a_release_is_narrowed(seed: int, tmp_path: Path) -> None:
    with quiet_solver():
        _, found, solved = on_seed(seed, tmp_path)
    assert len(found) > 3
    assert solved > 3, "the attacker reads the statistics"
    assert not [one for one in found if one.is_false], "the attacker reasons falsely"
    assert not [one for one in found if one.is_broken]


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
    from rapport.disclosure import disclose

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


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"\d*\.\d+|\d+", text.replace(",", "")))


def test_the_page_is_read(tmp_path: Path) -> None:
    with quiet_solver():
        _, _, out, page = one_release(20202, tmp_path)
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
