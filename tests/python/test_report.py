"""The report: numbers as the release has them, true sentences, a page that works for everybody and without a network."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import duckdb
import numpy as np
import pytest
import yaml
from conftest import ROOT, Warehouse
from released import RULES
from sufficient_statistics import reduced

from rapport.demo import write_demo_export
from rapport.release import make_release
from rapport.report import Published, Tables, flow, read_release, sentences, tables
from rapport.report.__main__ import main, write
from rapport.report.figures import _without_kinks, distribution, slope_lines
from rapport.report.firmness import firmness
from rapport.report.page import build_page
from rapport.report.published import KEYS, Number
from rapport.report.rich import bounded, fixed, p_value

MINUS = "\N{MINUS SIGN}"
AXE = (ROOT / "tests/python/axe/axe.min.js").read_text(encoding="utf-8")
WIDTHS = {"phone": 390, "laptop": 1280, "print": 718}

pytestmark = pytest.mark.usefixtures("judged_once")

# --- The tables of several exports: two built, two made from the first


_built: dict[str, tuple[Published, Path]] = {}
_pages: dict[str, str] = {}
_protected: dict[str, tuple[Published, Path]] = {}


@pytest.fixture
def of_400(built: Warehouse, workbench: Path) -> Tables:
    """The release of a build of 400 invented participants, with every figure and without the marks."""
    if "400" not in _built:
        kept = workbench / "reported.duckdb"
        shutil.copy(built.db, kept)
        make_release(kept, workbench / "released")
        _built["400"] = (read_release(workbench / "released"), kept)
    found = copy.deepcopy(_built["400"][0].tables)
    for table in found.values():
        for row in table:
            row["suppressed_columns"] = None
    return found


@pytest.fixture
def page(of_400: Tables) -> str:
    """The page of the 400 participants with every number."""
    if "400" not in _pages:
        _pages["400"] = build_page(everything(of_400))
    return _pages["400"]


@pytest.fixture
def changed_page(of_400: Tables) -> str:
    """The page after a later build that failed, of scores of which the smallest is no whole number."""
    if "changed" not in _pages:
        of_400["builds"].insert(0, of_400["builds"][0] | {"build_number": 99, "is_shown": False, "status": "failed"})
        for row in of_400["table_1"]:
            if (row["variable"], row["statistic"], row["utilization_type"]) == ("alliance_score", "min", "total"):
                row["value"] = 2.5
        _pages["changed"] = build_page(everything(of_400))
    return _pages["changed"]


def everything(found: Tables) -> Published:
    """A release with these tables."""
    return Published(found, _built["400"][0].manifest)


def rows(frame: Any) -> list[dict[str, object]]:
    return json.loads(frame.to_json(orient="records"))  # type: ignore[no-any-return]


def with_undefined_tests(found: Tables) -> Tables:
    """The same page for a cohort in which nobody screened positive: Aims 2 and 3 have no figures."""
    statistics = reduced("none_positive")
    blank = dict.fromkeys(found["inference_results"][0])
    found["inference_results"] = [blank | row for row in rows(statistics.inference_results().reset_index())]
    found["model_fit"] = [
        dict.fromkeys(found["model_fit"][0]) | row for row in rows(statistics.model_fit().reset_index())
    ]
    found["alliance_slopes"] = rows(statistics.slopes())
    return found


def of_a_million(found: Tables) -> Tables:
    """The same page with counts of a million participants."""
    people = {"n", "participants", "excluded", "quarantined", "delivered", "superseded", "used", "evaluated"}
    for name, table in found.items():
        for row in table:
            for column, value in row.items():
                counted = column in people or (name == "table_1" and column == "value" and row["statistic"] == "n")
                if counted and value is not None and "name" not in column:
                    row[column] = int(value) * 2500 if not isinstance(value, str) else value  # type: ignore[call-overload]
    return found


# --- Numbers


class Marked(HTMLParser):
    """Collects what the page shows of the warehouse: (text, source, form, scale)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str, str]] = []
        self.open: list[tuple[str, str, str, str]] = []
        self.text = ""
        self.row = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "tr":
            self.row = found.get("data-row", "")
        source, form = found.get("data-source"), found.get("data-format", "")
        if "data-col" in found:
            source, form = f"{self.row}#{found['data-col']}", "words"
        if source is not None:
            self.open.append((tag, source, form, found.get("data-scale", "")))
            self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1][0] == tag:
            _, *rest = self.open.pop()
            self.found.append((self.text, *rest))  # type: ignore[arg-type]


def as_keys(table: str, row: dict[str, object]) -> tuple[str, ...]:
    return tuple("" if row[key] is None else str(row[key]) for key in KEYS[table])


def assert_equals_warehouse(page: str, found: Tables) -> int:
    """Compare every marked number with its place; return how many there are."""
    places = {table: {as_keys(table, row): row for row in found[table]} for table in KEYS if table in found}
    shown = Marked(page).found
    for text, source, form, scale in shown:
        place, column = source.rsplit("#", 1)
        table, query = place.split("?", 1)
        assert table in found, source
        row = places[table][tuple(value for _, value in parse_qsl(query, keep_blank_values=True))]
        value = row[column]
        factor = 1.0
        if scale:
            over, _, under = scale.partition("/")
            factor = float(row[over]) / float(row[under]) if under else float(scale)  # type: ignore[arg-type]
        assert agrees(text, value, form, factor), (text, source, value, form, scale)
    return len(shown)


def agrees(text: str, value: object, form: str, factor: float) -> bool:
    if form == "words":
        return text == str("" if value is None else value).replace("_", " ") or text == str(value or "")
    if form == "text":
        return text == str(value)
    if form == "month":
        return text == str(value)[:7]
    if form == "moment":
        assert isinstance(value, datetime)
        return text == value.strftime("%Y-%m-%d %H:%M UTC")
    number = float(value) * factor  # type: ignore[arg-type]
    if form == "p":
        if text in ("< .001", "> .999"):
            return number < 0.001 if text.startswith("<") else number > 0.999
        return re.fullmatch(r"\.\d{3}|1\.000", text) is not None and abs(float(text) - number) <= 0.0005 + 1e-12
    kind, decimals = form.split(":")
    plain = text.replace(MINUS, "-").replace(",", "")
    if kind == "bounded":
        assert not re.match(r"-?0\.", plain), text
    digits = len(plain.partition(".")[2])
    return digits == int(decimals) and abs(float(plain) - number) <= 0.5 * 10.0**-digits * (1 + 1e-9) + 1e-12


def test_every_number_equals_the_warehouse(of_400: Tables, page: str) -> None:
    with duckdb.connect(str(_built["400"][1]), read_only=True) as connection:
        for table in RULES:
            cursor = connection.execute(f"select * from marts.{table}")
            names = [column[0] for column in cursor.description or ()]
            of_400[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert assert_equals_warehouse(page, of_400) > 1500


def test_the_comparison_sees_a_wrong_number(of_400: Tables, page: str) -> None:
    of_400["model_fit"][2]["r_squared"] = 0.5
    with pytest.raises(AssertionError, match="r_squared"):
        assert_equals_warehouse(page, of_400)


@pytest.mark.parametrize(
    ("text", "value", "form", "good"),
    [
        ("1.00", 1.004, "fixed:2", True),
        ("1.01", 1.004, "fixed:2", False),
        ("1.0", 1.0, "fixed:2", False),
        ("−0.02", -0.0151, "fixed:2", True),
        (".060", 0.0602, "bounded:3", True),
        ("< .001", 0.002, "p", False),
        (".040", 0.03996, "p", True),
    ],
)
def test_what_agrees(text: str, value: float, form: str, good: bool) -> None:
    assert agrees(text, value, form, 1.0) is good


# Digits that belong to words and not to the warehouse.
WORDS = (
    *(
        "WHO-5",
        "95%",
        "90%",
        "Table 1",
        "Table 2",
        "R2",
        "from 1 to 5",
        "Step 1",
        "step 2",
        "step 1",
        "5 of 5",
        "Aim 1",
        "Aim 2",
    ),
    *("90%", "Aim 3", "(aim 1)", "(aim 2)", "(aim 3)", "P ≤ .05", "below 0", "per 1", "SHA-256", "participants per SD"),
)


def test_no_number_stands_outside_the_warehouse(of_400: Tables, page: str) -> None:
    body = page[page.index("<body") :]
    for pattern in (
        r"<svg.*?</svg>",
        r"<script.*?</script>",
        r"<span class=\"n\".*?</span>",
        r"<span data-literal>.*?</span>",
    ):
        body = re.sub(pattern, " ", body, flags=re.DOTALL)
    for block in ("details", "dl", "div"):
        body = re.sub(rf"<{block}[^>]* data-literal>.*?</{block}>", " ", body, flags=re.DOTALL)
    body = re.sub(r"<(td|th)[^>]* data-col=.*?</\1>", " ", body, flags=re.DOTALL)
    text = unescape(re.sub(r"<[^>]+>", "", body))
    reasons = [str(row["reason"]) for row in of_400["exclusion_reasons"]]
    meanings = [str(row["meaning"]) for row in of_400["build_parameters"]]
    for words in (*reasons, *meanings, *WORDS):
        text = text.replace(words, " ")
    text = re.sub(r"Step \d:|who5_[a-z_0-9]+", " ", text)
    left = [line.strip() for line in text.splitlines() if re.search(r"\d", line)]
    assert not left, left[:10]


def test_pictures_draw_the_numbers_behind_them(of_400: Tables) -> None:
    from rapport.report.figures import transitions

    picture = transitions(everything(of_400))
    for row in of_400["wellbeing_transitions"]:
        for svg in (picture.wide, picture.narrow):
            cell = re.search(rf'id="[^"]*cell-{row["baseline_from"]}-{row["followup_from"]}".*?</g>', svg)
            assert cell is not None
            text = re.sub(r"<!--.*?-->|<[^>]+>", " ", cell.group(0)).split()
            assert f"{row['participants']:,}" in text
            assert f"{row['percent']:.0f}%" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0004, "< .001"), (0.001, ".001"), (0.05, ".050"), (0.9996, "> .999"), (None, "—")],
)
def test_p_in_apa_style(value: float | None, shown: str) -> None:
    assert p_value(Number(value, "x")).text == shown


def test_zeros_are_dropped_only_where_nothing_exceeds_1() -> None:
    assert bounded(Number(0.055, "x"), 3).text == ".055"
    assert bounded(Number(-0.0078, "x"), 3).text == f"{MINUS}.008"
    assert bounded(Number(1.0, "x")).text == "1.00"
    assert fixed(Number(0.055, "x")).text == "0.06"
    assert fixed(Number(-0.001, "x")).text == "0.00"
    assert fixed(Number(1234567.0, "x"), 0).text == "1,234,567"
    assert fixed(Number(None, "x", is_hidden=True)).text == "‡"


# --- Sentences


def change(found: Tables, analysis: str, term: str, **figures: object) -> None:
    row = next(r for r in found["inference_results"] if (r["analysis"], r["term"]) == (analysis, term))
    row.update(figures)


def answers(found: Tables) -> list[str]:
    return [aim.answer.text.replace("\N{NO-BREAK SPACE}", " ") for aim in sentences.aims(everything(found))]


def all_sentences(found: Tables) -> str:
    return "\n".join(
        line.text.replace("\N{NO-BREAK SPACE}", " ")
        for aim in sentences.aims(everything(found))
        for line in (aim.answer, *aim.details)
    )


def test_direction_and_size_follow_the_numbers(of_400: Tables) -> None:
    change(
        of_400,
        "wellbeing_change",
        "followup - baseline",
        estimate=-4.0,
        p_value=0.01,
        ci_low=-7.0,
        ci_high=-1.0,
        effect_size=-0.3,
    )
    change(of_400, "alliance_predicts_wellbeing", "alliance", estimate=-2.0, p_value=0.02, ci_low=-3.7, ci_high=-0.3)
    _, wellbeing, alliance = answers(of_400)
    assert "well-being fell by 4.00 WHO-5 points" in wellbeing
    assert "a small change" in wellbeing
    assert "(95% CI 1.00 to 7.00, P = .010)" in wellbeing
    assert "less than the 10 points from which a change of one person counts" in wellbeing
    assert "had 2.00 WHO-5 points fewer at follow-up (95% CI 0.30 to 3.70, P = .020" in alliance
    assert "does not show a cause" in alliance
    assert "does not show a cause" in wellbeing


def of_sensitivity(found: Tables, analysis: str, term: str, **figures: object) -> None:
    row = next(r for r in found["sensitivity_results"] if (r["analysis"], r["term"]) == (analysis, term))
    row.update(figures)


def firm(found: Tables, aim: int) -> str:
    return "\n".join(
        line.text.replace("\N{NO-BREAK SPACE}", " ") for line in firmness(everything(found))[aim].sentences
    )


def test_equivalence_is_an_answer_where_the_interval_lies_within_the_margin(of_400: Tables) -> None:
    contrast = ("wellbeing_equivalence", "telecoaching - teletherapy")
    of_sensitivity(of_400, *contrast, estimate=0.4, ci_low=-4.99, ci_high=4.9)
    assert "the change differs by less than 5 points: the 90% interval of the difference is −4.99 to 4.90" in firm(
        of_400, 2
    )
    of_sensitivity(of_400, *contrast, ci_high=5.0)
    assert "differs by less than 5 points is not shown" in firm(of_400, 2)


def test_what_would_have_come_by_itself_and_who_got_worse_stand_beside_the_change(of_400: Tables) -> None:
    for term, value in (("expected", 10.0), ("observed", 15.0), ("beyond", 5.0)):
        of_sensitivity(of_400, "wellbeing_regression_to_mean", term, estimate=value)
    of_sensitivity(of_400, "reliable_change", "deterioration", estimate=0.125)
    text = firm(of_400, 2)
    assert "regression to the mean alone would account for 10.00 of the 15.00 points, and 5.00 are beyond it" in text
    assert re.search(r"Of those who screened positive \d+\.\d% recovered, and 12\.5% fell by 10 points or more\.", text)


def test_combinations_that_are_not_shown_are_counted(of_400: Tables) -> None:
    grid = [row for row in of_400["sensitivity_results"] if row["analysis"] == "definition_grid"]
    for row in grid:
        row |= {"estimate": 2.0, "ci_low": 0.2, "ci_high": 3.8}
    assert f"Over {len(grid)} combinations of cut-off, shortest follow-up and ratings the coefficient" in firm(
        of_400, 3
    )
    for row in grid[:6]:
        row |= {"estimate": None, "ci_low": None, "ci_high": None}
    assert (
        f"Over {len(grid) - 6} combinations of cut-off, shortest follow-up and ratings that can be shown, of {len(grid)},"
        " the coefficient runs"
    ) in firm(of_400, 3)


@pytest.mark.parametrize(
    ("expected", "observed", "said", "unsaid"),
    [
        (
            15.16,
            14.0,
            "would account for all of the 14.00 points; a change of 15.16 would be expected from it.",
            "beyond it",
        ),
        (
            19.84,
            -13.0,
            "would lead one to expect a change of 19.84 points, and the change was −13.00.",
            "account for",
        ),
        (3.0, 0.0, "would lead one to expect a change of 3.00 points, and the change was 0.00.", "account for"),
        (None, 20.0, "Regression to the mean cannot be estimated (no variance of one of the measurements).", "account"),
    ],
)
def test_regression_to_the_mean_may_explain_all_of_a_change_or_the_opposite(
    of_400: Tables, expected: float | None, observed: float, said: str, unsaid: str
) -> None:
    note = "no variance of one of the measurements"
    beyond = None if expected is None else observed - expected
    for term, value in (("expected", expected), ("observed", observed), ("beyond", beyond)):
        of_sensitivity(
            of_400, "wellbeing_regression_to_mean", term, estimate=value, note=note if value is None else None
        )
    sentence = firm(of_400, 2).split("\n")[0]
    assert said in sentence
    assert unsaid not in sentence


def test_nobody_stayed_at_or_below_the_cut_off_where_nobody_began_there(of_400: Tables) -> None:
    from rapport.report.figures import transitions

    assert "were still there at follow-up" in transitions(everything(of_400)).alternative.text
    of_400["wellbeing_transitions"] = [
        row for row in of_400["wellbeing_transitions"] if min(row["baseline_from"], row["followup_from"]) > 28
    ]
    assert "still there" not in transitions(everything(of_400)).alternative.text


def test_a_panel_without_participants_says_so_and_bears_no_mark_of_what_is_hidden(of_400: Tables) -> None:
    from rapport.report.figures import distribution

    of_400["alliance_distribution"] = [
        row for row in of_400["alliance_distribution"] if row["utilization_type"] == "telecoaching"
    ]
    picture = distribution(everything(of_400))
    for svg in (picture.wide, picture.narrow):
        assert "‡" not in svg
        assert len(re.findall(r"no participants", re.sub(r"<!--.*?-->", "", svg))) == 2


def test_variants_that_change_the_answer_are_told_from_those_that_do_not(of_400: Tables) -> None:
    change(of_400, "alliance_predicts_wellbeing", "alliance", estimate=2.0, ci_low=0.1, ci_high=3.9)
    for row in of_400["sensitivity_results"]:
        if (
            row["term"] in ("alliance", "alliance_within", "alliance_between")
            and row["analysis"] != "aim_1_multiplicity"
        ):
            row |= {"estimate": 2.0, "ci_low": 0.2, "ci_high": 3.8}
    of_sensitivity(of_400, "alliance_without_sex", "alliance", estimate=1.3, ci_low=-0.4, ci_high=3.1)
    changes, stays = firm(of_400, 3).split("\n")[:2]
    assert (
        changes
        == "The interval of the main analysis lies above zero; that changes with: without sex (1.30, −0.40 to 3.10)."
    )
    assert stays.startswith("It stays above zero with: robust errors (HC3) (2.00, 0.20 to 3.80); ")


def test_unadjusted_tests_are_named_as_such(of_400: Tables) -> None:
    for row in of_400["sensitivity_results"]:
        if row["analysis"] == "aim_1_multiplicity":
            row |= {"p_value": 0.5, "p_adjusted": 1.0}
    of_sensitivity(of_400, "aim_1_multiplicity", "alliance_by_sex", p_value=0.02, p_adjusted=0.1)
    assert firm(of_400, 1).startswith(
        "The five tests above are not adjusted for each other; none remains significant after Holm's adjustment: sex"
        " (adjusted P = .100)."
    )


def test_a_test_that_is_not_shown_is_counted_neither_way(of_400: Tables) -> None:
    """What is withheld or undefined may differ, or not."""
    rows = [row for row in of_400["sensitivity_results"] if row["analysis"] == "aim_1_multiplicity"]
    for row in rows:
        row |= {"p_value": 0.5, "p_adjusted": 1.0}
    begin = "The five tests above are not adjusted for each other; "
    rows[0] |= {"p_value": None, "p_adjusted": None, "suppressed_columns": "p_value,p_adjusted"}
    rows[1] |= {"p_value": 0.01, "p_adjusted": None}
    assert firm(of_400, 1).startswith(
        f"{begin}of the three that can be shown none is significant, so an adjustment would change nothing."
    )
    for row in rows:
        row |= {"p_value": None, "p_adjusted": None}
    assert firm(of_400, 1).startswith(f"{begin}none of them can be shown.")


def test_a_slope_that_changes_direction_is_the_answer(of_400: Tables) -> None:
    for row in of_400["model_fit"]:
        if row["analysis"] == "moderation_by_baseline" and row["step"] == 2:
            row["p_value"] = 0.001
    for row in of_400["alliance_slopes"]:
        if row["analysis"] == "moderation_by_baseline":
            slope = {"low": 3.0, "mean": 0.5, "high": -2.0}[str(row["level"])]
            row |= {"slope": slope, "slope_ci_low": slope - 1.0, "slope_ci_high": slope + 1.0}
    change(of_400, "alliance_predicts_wellbeing", "alliance", estimate=0.1, p_value=0.9, ci_low=-2.0, ci_high=2.2)
    answer = answers(of_400)[2]
    assert "one point more goes with 3.00 WHO-5 points more at low values (95% CI 2.00 to 4.00)" in answer
    assert "with 2.00 WHO-5 points fewer at high values (95% CI 1.00 to 3.00)" in answer
    assert "settle" not in answer


def test_an_interaction_is_not_interpreted_without_its_main_effect(of_400: Tables) -> None:
    change(
        of_400,
        "moderation_by_sessions",
        "total_sessions",
        estimate=None,
        p_value=None,
        note="aliased: a linear combination of time_in_care",
    )
    assert "By number of sessions: the interaction is not interpreted" in all_sentences(of_400)


def test_a_correlation_has_direction_and_size_in_the_answer(of_400: Tables) -> None:
    change(of_400, "alliance_vs_age", "age_years", estimate=-0.31, p_value=0.001)
    assert "age (older participants rated lower, ρ = −.310, a medium association, P = .001)" in answers(of_400)[0]


def test_a_large_p_is_no_equality(of_400: Tables) -> None:
    for row in of_400["inference_results"]:
        for column in ("p_value", "p_adjusted"):
            row[column] = None if row[column] is None else 0.4
    change(of_400, "wellbeing_change", "followup - baseline", estimate=1.0, ci_low=-2.0, ci_high=4.0)
    change(
        of_400,
        "alliance_by_country",
        "outside_usa - within_usa",
        effect_size=0.05,
        effect_size_low=-0.1,
        effect_size_high=0.2,
    )
    for row in of_400["model_fit"]:
        row["p_value"] = 0.4
    text = all_sentences(of_400)
    assert not re.search(
        r"no difference|not differ|no effect|equal|same|no association", text.replace("at equal age", "")
    )
    assert "the 95% interval allows anything from −2.00 to 4.00 points" in text
    assert "the interval allows anything up to a small difference" in text
    assert "these data do not settle" in answers(of_400)[2]


def test_the_higher_group_is_named(of_400: Tables) -> None:
    sizes = {
        row["term"]: float(str(row["n"]))
        for row in of_400["inference_results"]
        if row["analysis"] == "alliance_group_medians"
    }
    even = sizes["female"] * sizes["male"] / 2
    for w, word in ((even * 1.2, "higher"), (even * 0.8, "lower")):
        change(of_400, "alliance_by_sex", "female - male", statistic=w, p_value=0.01, effect_size=0.12)
        text = all_sentences(of_400)
        assert f"Females rated the alliance {word} than males" in text
        assert "the effect is small" in text


def test_undefined_tests_say_why(of_400: Tables) -> None:
    text = all_sentences(with_undefined_tests(of_400))
    assert (
        "No statement on the change of well-being among those who screened positive (baseline ≤ 28): no participants."
        in text
    )
    assert "No statement on alliance as a predictor of well-being: no participants." in text
    assert "None" not in text
    assert "nan" not in text


def test_no_interval_of_eta_squared_is_no_equality(of_400: Tables) -> None:
    note = "effect size: no interval, groups without any difference are seldom as much alike as these"
    for analysis in ("alliance_by_utilization", "wellbeing_change_by_utilization"):
        change(
            of_400,
            analysis,
            "utilization_type",
            **{"p_value": 0.98, "effect_size": -0.035, "effect_size_low": None, "effect_size_high": None, "note": note},
        )
    text = all_sentences(of_400)
    assert text.count(f"η² = {MINUS}.035); {note}.") == 2
    assert "negligible effect" not in text
    assert "90% CI" not in text
    for table in (tables.alliance_tests, tables.wellbeing_tests):
        assert note in tables.draw(table(everything(of_400))).word


def test_intervals_of_eta_squared_say_their_level(of_400: Tables) -> None:
    change(
        of_400, "alliance_by_utilization", "utilization_type", p_value=0.2, effect_size_low=0.0, effect_size_high=0.02
    )
    assert re.search(
        r"η² = \S+, 90% CI \.000 to \.020\); the interval allows up to a small effect", all_sentences(of_400)
    )


def test_a_perfect_rank_correlation_of_three_is_no_finding(of_400: Tables) -> None:
    note = "perfect monotone association: t is infinite, its P of 0 an approximation; exact P = .333"
    change(
        of_400,
        "alliance_vs_age",
        "age_years",
        **{"n": 3, "estimate": 1.0, "statistic": None, "p_value": 0.0, "note": note},
        **{"effect_size_low": None, "effect_size_high": None},
    )
    text = all_sentences(of_400)
    assert f"With age: Spearman's ρ = 1.000 ({note})." in text
    assert "Older participants" not in text
    assert not re.search(r"varied with[^;]*\bage \(", answers(of_400)[0])
    assert "for age there is no test result to show" in answers(of_400)[0]


@pytest.mark.parametrize(
    ("kind", "value", "word"),
    [
        ("r", 0.09, "negligible"),
        ("r", -0.3, "medium"),
        ("d", 1.06, "large"),
        ("d", 0.2, "small"),
        ("eta_squared", 0.011, "small"),
    ],
)
def test_words_for_sizes(kind: str, value: float, word: str) -> None:
    assert sentences.size_word(kind, value) == word


# --- Tables


MAKERS: tuple[Callable[[Published], tables.Table], ...] = (
    *(tables.table_1, tables.alliance_tests, tables.wellbeing_tests, tables.table_2),
    *(tables.model_steps, tables.moderations, tables.slopes),
)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_table_is_the_same_in_every_form(of_400: Tables, maker: Callable[[Published], tables.Table]) -> None:
    drawn = tables.draw(maker(everything(of_400)))
    lines = list(csv.reader(io.StringIO(drawn.csv)))
    assert len({len(line) for line in lines}) == 1
    assert len(lines) > 5
    cells = {cell for line in lines[1:] for cell in line if re.search(r"\d", cell)}
    page = unescape(re.sub(r"<[^>]+>", "", drawn.html)).replace(MINUS, "-").replace("\N{NO-BREAK SPACE}", " ")
    word = unescape(re.sub(r"<[^>]+>", "", drawn.word)).replace(MINUS, "-").replace("\N{NO-BREAK SPACE}", " ")
    latex = (
        drawn.latex.replace("$-$", "-").replace(r"\%", "%").replace(r"\textless{}", "<").replace(r"\textgreater{}", ">")
    )
    for cell in cells:
        assert cell.replace("d_", "d") in page.replace("d_", "d")
        assert cell in word
        if not re.search("[²βαρΔ×_–]", cell):
            assert cell in latex
    assert "style=" in drawn.word
    assert "<style" not in drawn.html
    assert drawn.latex.isascii(), re.findall(r"[^\x00-\x7f]", drawn.latex)


def test_table_1_is_the_paper_s(of_400: Tables) -> None:
    lines = {
        row.label: [tables.as_rich(cell).text for cell in row.cells] for row in tables.table_1(everything(of_400)).rows
    }
    assert all(re.fullmatch(r"\d+\.\d\d \(\d+\.\d\d\)", cell) for cell in lines["Age, M (SD)"])
    assert all(
        re.fullmatch(r"\d\.\d\d \[\d(\.\d+)?, \d(\.\d+)?\]", cell)
        for cell in lines["Alliance score, median [min, max]"]
    )
    assert all(re.fullmatch(r"[\d,]+ \(\d+\.\d%\)", cell) for cell in lines["Sex: missing, n (%)"])


def test_a_table_without_figures_says_why(of_400: Tables) -> None:
    table = tables.table_2(everything(with_undefined_tests(of_400)))
    assert "Where figures are missing: no participants." in [tables.as_rich(note).text for note in table.notes]
    assert all(tables.as_rich(row.cells[0]).text == "—" for row in table.rows)


# --- In a browser


class Browser:
    """Chromium without a network."""

    def __init__(self) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service

        binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if binary is None or driver is None:
            pytest.fail("chromium and chromedriver are missing: apt-get install chromium chromium-driver")
        options = Options()
        options.binary_location = binary
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.driver.set_script_timeout(120)
        self.do("Network.enable")
        self.do("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)

    def do(self, command: str, **arguments: object) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def open(self, path: Path) -> None:
        self.driver.get(path.as_uri())

    def look(self, width: str, dark: bool = False) -> None:
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTHS[width],
            height=900,
            deviceScaleFactor=1,
            mobile=width == "phone",
        )
        self.do(
            "Emulation.setEmulatedMedia",
            media="print" if width == "print" else "screen",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def requests(self) -> set[str]:
        """The addresses that were asked for since the last call, but data inside the page."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.add(unquote(message["params"]["request"]["url"]).split("#")[0])
        return {address for address in found if not address.startswith("data:")}

    def complaints(self) -> list[dict[str, Any]]:
        return self.driver.get_log("browser")  # type: ignore[no-any-return]

    def violations(self) -> list[str]:
        """What axe-core finds, with an example each."""
        if not self.run("return 'axe' in window"):
            self.run(AXE)
        result = self.driver.execute_async_script(
            "axe.run(document, {resultTypes: ['violations']}).then(arguments[arguments.length - 1])"
        )
        return [
            f"{found['id']}: {found['nodes'][0]['html'][:200]} ({len(found['nodes'])})"
            for found in result["violations"]
        ]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    session = Browser()
    yield session
    session.driver.quit()


TOO_WIDE = """
return [...document.querySelectorAll('main .scroll, .scroll')].filter((box) => box.scrollWidth > box.clientWidth + 1)
    .map((box) => box.getAttribute('aria-labelledby') || box.getAttribute('aria-label'))
"""

EMPTY = """
const seen = (element) => { const box = element.getBoundingClientRect(); return box.width > 20 && box.height > 20; };
const empty = [];
for (const picture of document.querySelectorAll('figure.picture')) {
  const why = picture.querySelector('.missing');
  const shown = [...picture.querySelectorAll('svg')].filter(seen);
  const marks = shown.length === 1 ? shown[0].querySelectorAll('path, use').length : 0;
  if (why ? why.textContent.length < 15 : shown.length !== 1 || marks < 5) empty.push(picture.id);
  if (!why && picture.querySelectorAll('details tbody tr').length < 3) empty.push(picture.id + ' numbers');
}
for (const table of document.querySelectorAll('figure.table')) {
  if (!seen(table.querySelector('table')) || table.querySelectorAll('tbody tr').length < 5) empty.push(table.id);
  if ([...table.querySelectorAll('a[download]')].some((link) => link.href.length < 200)) empty.push(table.id + ' files');
}
for (const section of document.querySelectorAll('section')) if (section.textContent.length < 200) empty.push(section.id);
for (const name of ['figure.picture', 'figure.table', 'section', 'article.aim', '.flow > li']) {
  if (document.querySelectorAll(name).length < 3) empty.push('few ' + name);
}
if (document.documentElement.scrollWidth > window.innerWidth + 1) empty.push('wider than the screen');
return empty;
"""


EVERY_LOOK = tuple((width, dark) for width in WIDTHS for dark in (False, True))


def check_in_browser(browser: Browser, path: Path, looks: tuple[tuple[str, bool], ...]) -> None:
    browser.requests()
    browser.complaints()
    browser.look(*looks[0])
    browser.open(path)
    for width, dark in looks:
        browser.look(width, dark)
        # What is folded away has to fit, and to be accessible, too.
        browser.run("for (const fold of document.querySelectorAll('details')) fold.open = true")
        assert browser.run(EMPTY) == [], (width, dark)
        if width != "laptop":
            browser.run("for (const fold of document.querySelectorAll('details')) fold.open = false")
        assert browser.violations() == [], (width, dark)
    assert browser.complaints() == []
    assert browser.requests() == {unquote(path.as_uri())}
    assert path.stat().st_size < 3_000_000


def test_the_page_in_a_browser(page: str, browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(page, encoding="utf-8")
    check_in_browser(browser, path, EVERY_LOOK)
    assert browser.run("return document.querySelector('.missing') === null")
    browser.look("laptop")
    assert browser.run(TOO_WIDE) == [], "no table of a laptop's page is cut off"
    browser.driver.find_element("css selector", "button.copy").send_keys("\n")
    assert browser.run("return document.getElementById('copied').textContent") == "Table copied"
    colours = "const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]"
    light = browser.run(colours)
    browser.look("laptop", dark=True)
    assert browser.run(colours) != light


@pytest.mark.builds
def test_a_page_with_undefined_tests_in_a_browser(of_400: Tables, browser: Browser, tmp_path: Path) -> None:
    found = with_undefined_tests(of_400)
    page = tmp_path / "index.html"
    page.write_text(build_page(everything(found)), encoding="utf-8")
    assert_equals_warehouse(page.read_text(encoding="utf-8"), found)
    check_in_browser(browser, page, (("phone", False),))
    assert browser.run("return document.querySelector('#forest .missing').textContent") == "Not drawn: no participants."


@pytest.mark.builds
def test_a_page_of_a_million_in_a_browser(of_400: Tables, browser: Browser, tmp_path: Path) -> None:
    found = of_a_million(of_400)
    page = tmp_path / "index.html"
    page.write_text(build_page(everything(found)), encoding="utf-8")
    assert_equals_warehouse(page.read_text(encoding="utf-8"), found)
    assert max(int(row["participants"]) for row in found["eligibility_flow"]) >= 1_000_000
    check_in_browser(browser, page, (("phone", True),))


@pytest.mark.builds
def test_a_report_on_twelve_participants(warehouse: Warehouse, browser: Browser, tmp_path: Path) -> None:
    shutil.rmtree(warehouse.raw)
    write_demo_export(warehouse.raw, participants=12, seed=3, part_files=1)
    outcome = warehouse.run()
    assert outcome.success, outcome.output
    with duckdb.connect(str(warehouse.db)) as connection:
        connection.execute("update audit.publish set is_synthetic = false")
    page = tmp_path / "reports" / "index.html"
    make_release(warehouse.db, tmp_path / "release")
    assert main(["--release", str(tmp_path / "release"), "--out", str(page)]) == 0
    assert "index.html" in warehouse.capfd.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "‡" in text
    # Nobody can be counted: no number from 1 to 9 is shown of people.
    for shown, source, form, _ in Marked(text).found:
        if form == "fixed:0" and re.search(r"#(n|participants|excluded)$", source):
            assert not 0 < int(shown.replace(",", "")) < 10, source
    check_in_browser(browser, page, (("laptop", False),))


# --- The command and its promises


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--release", str(tmp_path / "none")]) == 2
    assert "is no folder: run `make release` first" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["--release", str(tmp_path / "empty")]) == 2
    assert "has no manifest.json: it is no release" in capsys.readouterr().err


def test_a_changed_release_is_not_reported(
    of_400: Tables, workbench: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(workbench / "released", tmp_path / "released")
    with (tmp_path / "released/table_1.parquet").open("ab") as file:
        file.write(b" ")
    assert main(["--release", str(tmp_path / "released"), "--out", str(tmp_path / "index.html")]) == 2
    assert "table_1.parquet is not as the release wrote it" in capfd.readouterr().err
    assert not (tmp_path / "index.html").exists()


_opened: list[object] = []


@pytest.fixture
def released_page(of_400: Tables, workbench: Path, tmp_path: Path) -> str:
    """The page of the release as the command writes it; what it opens is noted."""
    real = duckdb.connect

    def connect(*arguments: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        _opened.extend(arguments)
        return real(*arguments, **options)

    if "released" not in _pages:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(duckdb, "connect", connect)
            patch.setenv("RAPPORT_DB", str(tmp_path / "none.duckdb"))
            assert main(["--release", str(workbench / "released"), "--out", str(tmp_path / "index.html")]) == 0
        _pages["released"] = (tmp_path / "index.html").read_text(encoding="utf-8")
    return _pages["released"]


def test_no_database_is_opened(released_page: str) -> None:
    assert released_page
    assert _opened == []


def test_a_page_is_for_its_owner_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "index.html"
    write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write(path, "new, but \udcff")
    assert path.read_text(encoding="utf-8") == "old"
    write(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["index.html"]


def words_of(page: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", page))


def test_the_page_says_what_it_shows(page: str, changed_page: str) -> None:
    assert (
        "Synthetic data: export raw. No participant exists. Study sagui_henson_2022, window 2020-09-29 to 2021-10-12;"
        in words_of(page)
    )
    assert "Nothing is hidden here; ‡ marks figures that real data would hide" in words_of(page)
    assert "<title>Synthetic:" in page
    assert re.search(r"all <span data-literal>\d</span> gates passed", page)
    assert "A later build (failed) published nothing" in changed_page


def test_own_data_are_not_compared_with_the_paper(page: str, protected_page: str) -> None:
    """Two thirds of the text were about figures that other data have no reason to give."""
    for text in (page, protected_page):
        assert "eproduction" not in words_of(text)
        assert "rinted" not in words_of(text)
        assert 'href="#reproduction"' not in text
        assert "(published)" not in words_of(text), "no paper stands beside the pictures"
        for anchor in re.findall(r'href="#([^"]+)"', text[text.index("<body") :]):
            assert f'id="{anchor}"' in text, anchor


def test_pictures_of_own_data_speak_of_the_main_analysis(page: str) -> None:
    for label in ("Clinical recovery", "Clinical improvement", "Mean change"):
        assert f"{label} (main analysis)" in words_of(page)


@pytest.mark.builds
def test_the_twin_is_compared_with_the_paper(of_400: Tables) -> None:
    printed = {
        "figure_id": "f",
        "quote": "n = 3",
        "section": "results",
        "printed": "3",
        "our_value": 4.0,
        "agrees": False,
    }
    check = {"rule": "r", "inputs": "i", "printed": "3", "recomputed": "4", "verdict": "inconsistent", "why": "w"}
    found = of_400 | {"reproduction": [printed | {"note": None}], "consistency": [check | {"quote": "q", "note": None}]}
    page = build_page(Published(found, {**_built["400"][0].manifest, "is_calibrated": True}))
    assert "Synthetic data: the study's twin" in words_of(page)
    assert "of 1 printed figures agree" in words_of(page)
    assert "Clinical recovery (published)" in words_of(page)


def test_nothing_about_single_people_is_read(of_400: Tables) -> None:
    assert not [name for name in of_400 if name in ("eligibility", "analysis_cohort", "who5_change")]
    columns = {column for table in of_400.values() for row in table for column in row}
    assert not columns & {"participant_id", "sample_keys", "detail"}


@pytest.fixture
def protected(of_400: Tables, workbench: Path) -> Published:
    """The release of the 400 participants as if they were real."""
    if "400" not in _protected:
        real = workbench / "real.duckdb"
        shutil.copy(_built["400"][1], real)
        with duckdb.connect(str(real)) as connection:
            connection.execute("update audit.publish set is_synthetic = false")
        make_release(real, workbench / "real")
        _protected["400"] = (read_release(workbench / "real"), workbench / "real")
    return _protected["400"][0]


@pytest.fixture
def protected_page(protected: Published) -> str:
    """The page of the 400 participants as if they were real."""
    if "protected" not in _pages:
        _pages["protected"] = build_page(protected)
    return _pages["protected"]


@pytest.mark.parametrize(("mean", "shown"), [(13.0, "13"), (12.8, "12.8"), (12.76, "12.8")])
def test_a_mean_of_real_data_has_the_decimals_that_it_is_given_to(
    protected: Published, mean: float, shown: str
) -> None:
    """Of 162 people a mean of scores is given to whole points: 13.0 would claim more."""
    tables = copy.deepcopy(protected.tables)
    change(tables, "wellbeing_change", "followup - baseline", n=162, estimate=mean, suppressed_columns=None)
    found = Published(tables, protected.manifest).finding("wellbeing_change", "followup - baseline")
    assert fixed(found.number("estimate")).text == shown


def test_where_months_are_hidden_the_limits_are_not_called_missing(protected: Published, protected_page: str) -> None:
    hidden = {
        (row["provider_type"], row["measure"])
        for row in protected.tables["service_signals"]
        if row["mean"] is None and "value" in str(row["suppressed_columns"] or "").split(",")
    }
    assert hidden
    assert words_of(protected_page).count("No limits, because months are hidden.") == len(hidden)
    assert "Too few months for limits" not in words_of(protected_page)


def test_the_page_of_real_data_is_its_release(protected: Published, protected_page: str) -> None:
    """Page and export are one: a figure that is not in the release is not on the page, and none is shown more exactly."""
    page = protected_page
    with duckdb.connect() as connection:
        found = {}
        for table in protected.manifest["tables"]:
            rows = connection.from_parquet(str(_protected["400"][1] / f"{table}.parquet"))
            found[table] = [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]
    assert assert_equals_warehouse(page, found) > 300
    assert "Rows judged" not in page
    assert (
        "Data: export “raw” (parquet). Study sagui_henson_2022, window 2020-09-29 to 2021-10-12; sessions from 20"
        in words_of(page)
    )
    assert "Synthetic" not in page
    for text, source, form, _ in Marked(page).found:
        assert not re.search(r"^table_1.*statistic=(min|max)", source)
        if form == "fixed:0" and re.search(r"#(n|participants|excluded|used|delivered)$", source):
            number = int(text.replace(",", ""))
            assert number == 0 or (number >= 12 and number % 5 == 2), source


@pytest.mark.builds
def test_a_rounded_number_of_people_in_the_flow_says_so(
    protected: Published, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The boxes of real data need not add up; 0 is 0, and what is hidden has no figure."""
    monkeypatch.setitem(protected.tables["eligibility_flow"][1], "excluded", 0)
    boxes = [box for step in flow.steps(protected) for box in (step.kept, step.excluded, *step.reasons) if box]
    boxes += flow.analysed(protected)
    found = [figure for box in boxes for figure in re.findall(r'(≈ )?<span class="n"[^>]*>([^<]+)</span>', box.html)]
    assert len(found) > 20
    assert "0" in {number for _, number in found}
    assert all((sign == "≈ ") is (number != "0") for sign, number in found), found
    assert "≈ rounded, each number by itself: the boxes need not add up." in words_of(build_page(protected))
    assert "≈" not in words_of(page)
    # Whoever rounds to 1 reads nothing of rounding.
    exact = words_of(build_page(Published(protected.tables, protected.manifest | {"round_counts": 1})))
    assert "≈" not in exact
    assert "the middle of" not in exact
    assert "columns need not add up" not in exact
    assert "other counts are exact" in exact
    assert "the middle of 5 numbers" in words_of(build_page(protected))


def test_without_a_difference_the_tests_are_counted(of_400: Tables) -> None:
    for row in of_400["sensitivity_results"]:
        if row["analysis"] == "aim_1_multiplicity":
            row |= {"p_value": 0.5, "p_adjusted": 1.0}
    assert firm(of_400, 1).startswith(
        "The five tests above are not adjusted for each other; none is significant, so an adjustment would change nothing."
    )


def panels_of(picture: str) -> list[str]:
    """The panels of one form of a picture."""
    return re.findall(r'<g id="[^"]*axes_\d+">.*?(?=<g id="[^"]*axes_\d+">|</svg>)', picture, flags=re.DOTALL)


def test_a_panel_without_a_figure_has_no_axis(protected: Published) -> None:
    lines = []
    for row in protected.tables["alliance_slopes"]:
        x = 3.0 + int(str(row["position"])) / 5
        shown: dict[str, object] = {"n": 127, "alliance_score": x, "predicted": 20 + x, "ci_low": 9.0, "ci_high": 30.0}
        is_hidden = row["analysis"] == "moderation_by_utilization"
        named = ",".join(shown) if is_hidden else None
        lines.append(row | (dict.fromkeys(shown) if is_hidden else shown) | {"suppressed_columns": named})
    picture = slope_lines(Published({**protected.tables, "alliance_slopes": lines}, protected.manifest))
    for form in (picture.wide, picture.narrow):
        hidden, second, third = panels_of(form)
        assert "‡" in hidden
        assert "tick" not in hidden
        assert "tick" in second
        assert "tick" in third
        assert "‡" not in second + third
    # The axis beside the empty panel is labelled in its stead.
    assert panels_of(picture.wide)[1].count("<text") > panels_of(picture.wide)[2].count("<text")


def test_a_picture_says_so_where_a_row_has_no_figure(protected: Published) -> None:
    """Of variants side by side one may be withheld, another not be estimated: neither line is just empty."""
    shown: dict[str, object] = {"n": 127, "estimate": 0.55, "ci_low": 0.4, "ci_high": 0.7}
    hidden = dict.fromkeys(shown)
    rows = {
        "alliance_superiority_by_sex": shown | {"suppressed_columns": None, "note": None},
        "alliance_superiority_by_country": hidden | {"suppressed_columns": ",".join(shown), "note": None},
        "alliance_superiority_by_depression_screen": hidden | {"suppressed_columns": None, "note": "too few rows"},
    }
    changed = [row | rows.get(str(row["analysis"]), {}) for row in protected.tables["sensitivity_results"]]
    data = Published({**protected.tables, "sensitivity_results": changed}, protected.manifest)
    picture = next(one for one in firmness(data)[1].pictures if one.name == "firm-1")
    for form in (picture.wide, picture.narrow):
        words = re.findall(r"<text[^>]*>([^<]+)</text>", form)
        assert words.count("withheld") == words.count("not estimated") == 1, words


def test_below_the_numbers_behind_a_picture_stands_why_some_are_missing(of_400: Tables) -> None:
    """One note for each reason, of all that it is true of; what has every figure has none."""
    none = {"estimate": None, "ci_low": None, "ci_high": None, "suppressed_columns": None}
    separation = "separation: in some classes everybody rated, or nobody did"
    for row in of_400["sensitivity_results"]:
        row |= {"n": 87, "estimate": 2.0, "note": None}
        if row["analysis"] != "wellbeing_regression_to_mean":  # what is expected has no interval
            row |= {"ci_low": 0.2, "ci_high": 3.8}
    [expected] = [row for row in of_400["sensitivity_results"] if row["term"] == "expected"]
    assert expected["ci_low"] is expected["note"] is None
    of_sensitivity(of_400, "alliance_rater_weighted", "alliance", **none, note=separation)
    of_sensitivity(of_400, "alliance_clustered", "alliance", ci_low=None, ci_high=None, note="one provider < 2")
    for days in (7, 28):
        cell = f"cutoff=28,min_days={days},alliance=first"
        of_sensitivity(of_400, "definition_grid", cell, **none, note="too few rows: 4 for 6 coefficients")
    of_sensitivity(of_400, "alliance_hc3", "alliance", **none | {"n": None, "suppressed_columns": "n,estimate,ci_low"})
    data = Published(of_400, _built["400"][0].manifest | {"protection": "applied"})
    found = {picture.name: picture for aim in firmness(data).values() for picture in aim.pictures}
    assert [note.text for note in found["firm-3"].numbers.notes] == [
        "Robust errors (HC3): hidden, because it would tell of a small number of people.",
        "Errors by main provider (CR1): one provider < 2.",
        f"Weighted by the chance to rate: {separation}.",
        "Baseline ≤ 28, ≥ 7 days, first alliance; Baseline ≤ 28, ≥ 28 days, first alliance:"
        " too few rows: 4 for 6 coefficients.",
    ]
    assert found["firm-2"].numbers.notes == found["firm-2-rates"].numbers.notes == []
    page = build_page(data)
    numbers = page[page.index('id="firm-3"') :].partition("</details>")[0].partition("</table>")[2]
    notes = re.findall(r'<p class="note">(.*?)</p>', numbers)
    assert [unescape(re.sub("<[^>]+>", "", note)) for note in notes] == [
        note.text for note in found["firm-3"].numbers.notes
    ]
    assert "one provider &lt; 2" in notes[1]
    # Where nothing is missing, the table ends the numbers.
    rates = page[page.index('id="firm-2-rates"') :].partition("</details>")[0]
    assert 'class="note"' not in rates


def test_the_trajectory_ends_with_the_last_number_that_is_shown(protected: Published) -> None:
    """Where later numbers are withheld no axis is drawn for them; on a phone the long title has two lines."""
    rows = []
    for row in protected.tables["alliance_trajectory"]:
        is_shown = str(row["session_number"]) in ("1", "2", "3")
        value: dict[str, object] = {"participants": 40, "alliance_mean": 4.5} if is_shown else {"alliance_mean": None}
        rows.append(row | value | {"suppressed_columns": None})
    data = Published({**protected.tables, "alliance_trajectory": rows}, protected.manifest)
    picture = next(one for one in firmness(data)[1].pictures if one.name == "trajectory")
    for form in (picture.wide, picture.narrow):
        words = [word.strip() for word in re.findall(r"<text[^>]*>([^<]+)</text>", form)]
        assert {"1", "2", "3"} <= set(words)
        assert not {"4", "12", "13+"} & set(words)
    assert "The same people: four or more rated sessions" in picture.wide
    assert "The same people: four" not in picture.narrow
    assert "four or more rated sessions" in picture.narrow


def test_a_bar_of_several_classes_is_drawn_per_class(protected: Published) -> None:
    def bars(merged: bool) -> list[dict[str, object]]:
        ends = [(1.0, 4.0), (4.0, 5.0)] if merged else [(1.0, 3.0), (3.0, 3.5)]
        return [
            {"utilization_type": name, "score_from": low, "score_to": high, "participants": 12, "percent": 50.0}
            | {"suppressed": False, "suppressed_columns": None}
            for name in ("teletherapy", "telecoaching", "both")
            for low, high in ends
        ]

    for merged in (True, False):
        data = Published({**protected.tables, "alliance_distribution": bars(merged)}, protected.manifest)
        assert ("Percent of participants per class" in distribution(data).wide) is merged


def test_a_line_of_rounded_points_is_straight() -> None:
    x = np.linspace(3, 5, 9)
    line, width = 20 + 2.04 * x, np.sqrt(1 + (x - 4) ** 2)
    _, y, low, high = _without_kinks(x, *(each.round(1) for each in (line, line - width, line + width)))
    assert np.ptp(np.diff(np.round(line, 1))) > 0.09, "rounding bends it"
    assert np.ptp(np.diff(y)) < 1e-9
    assert np.abs(np.array(y) - line).max() < 0.05
    assert np.abs((np.array(high) - np.array(low)) / 2 - width).max() < 0.05


def test_marks_stand_where_real_data_hide(protected: Published, released_page: str) -> None:
    invented, page = _built["400"][0], released_page
    hidden = {
        (table, *as_keys(table, record.row), column)
        for table in ("eligibility_flow", "table_1", "inference_results", "wellbeing_transitions")
        for record in protected.records(table)
        for column in record.hidden
    }
    marked = re.findall(r'data-source="([^"]+)"[^>]*>[^<]*</span>%?<sup class="would-hide"[^>]*>‡</sup>', page)
    assert len(marked) > 100
    for source in map(unescape, marked):
        place, column = source.rsplit("#", 1)
        table, query = place.split("?", 1)
        if table in ("eligibility_flow", "table_1", "inference_results", "wellbeing_transitions"):
            key = tuple(value for _, value in parse_qsl(query, keep_blank_values=True))
            assert (table, *key, column) in hidden
    assert not re.search(r'class="hidden-cell"', page), "nothing is withheld of invented people"
    drawn = tables.draw(tables.table_1(invented))
    assert "‡</sup>" in drawn.html
    assert r"$^\ddagger$" in drawn.latex


def test_a_cut_table_says_so(page: str, browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(page, encoding="utf-8")
    browser.look("phone")
    browser.open(path)
    cue = "return getComputedStyle(document.querySelector('#table-1 .scroll'), '::before').content"
    assert "swipe or scroll sideways" in browser.run(cue)
    browser.run("const box = document.querySelector('#table-1 .scroll'); box.scrollLeft = box.scrollWidth")
    time.sleep(0.3)
    assert browser.run("return document.querySelector('#table-1 .scroll').classList.contains('at-end')")
    browser.look("laptop")
    time.sleep(0.3)
    assert browser.run(cue) == "none"


def test_a_score_between_whole_numbers_keeps_its_decimals(changed_page: str) -> None:
    assert re.search(r"\[2\.5, 5\]", unescape(re.sub(r"<[^>]+>", "", changed_page)))


def test_the_exposure_names_what_the_page_reads() -> None:
    exposure = yaml.safe_load((ROOT / "models/exposures.yml").read_text(encoding="utf-8"))["exposures"][0]
    named = {reference.split("'")[1] for reference in exposure["depends_on"]}
    assert {*RULES, "build_parameters", "reproduction", "consistency", "publish"} == named


def test_checklists_point_into_the_page(page: str) -> None:
    from rapport.report.methods import checklist, procedures

    items = checklist(is_calibrated=False)
    assert len([item for item in items if item.guideline == "STROBE"]) == 34
    assert len([item for item in items if item.guideline == "RECORD"]) == 13
    for item in items:
        assert item.answer
        assert not item.anchor or f'id="{item.anchor}"' in page
    [of_sensitivity] = [item for item in items if item.topic == "Sensitivity analyses"]
    assert of_sensitivity.answer == "Findings: how firm is this?"
    assert "How firm is this?" in page
    assert all(len(procedure.text) > 30 for procedure in procedures())
