"""``python -m rapport.release`` (also ``rapport.export``): what a release holds, and when there is none."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from functools import lru_cache, partial
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Warehouse
from jinja2 import Environment
from released import EXCLUDED, RULES, TYPES, Tables, marts_of, marts_of_golden, write_warehouse
from sufficient_statistics import PUBLISHED, cohorts

from rapport import export
from rapport import warehouse as opening
from rapport.disclosure import SUPPRESSED, SUPPRESSED_COLUMNS, DisclosureError
from rapport.release import NoRelease, folder, open_release
from rapport.release.__main__ import GOOD, IMPOSSIBLE, REFUSED, main
from rapport.release.folder import own_hash
from rapport.release.history import people_apart
from rapport.release.protect import protect
from rapport.release.publication import QUERIES, read_publication
from rapport.release.rounding import middle, of_mean, of_p, of_rank_sum, significant, threshold

pytestmark = pytest.mark.usefixtures("judged_once")

further = partial(pytest.param, marks=pytest.mark.builds)

NAMES = {*RULES, *QUERIES, "history"}
FILES = {"manifest.json", *(f"{table}.{ending}" for table in NAMES for ending in ("parquet", "csv"))}


@lru_cache
def marts(cohort: str) -> Tables:
    return marts_of_golden(cohort)[1]


_released: dict[tuple[int, str], Tables] = {}


def released(tmp_path: Path, tables: Tables, **options: object) -> Tables:
    """The tables of a release of published tables; of those of a committed cohort only once."""
    key = (id(tables), str(options))
    if key not in _released:
        _released[key] = _release(tmp_path, tables, **options)
        _kept.append(tables)
    return {name: frame.copy() for name, frame in _released[key].items()}


_kept: list[Tables] = []
"""Keeps the ids in use."""


def _release(tmp_path: Path, tables: Tables, **options: object) -> Tables:
    path = write_warehouse(tmp_path / "one.duckdb", tables, **options)  # type: ignore[arg-type]
    found = protect(read_publication(path))
    path.unlink()
    return found


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAPPORT_DB", str(tmp_path / "rapport.duckdb"))
    monkeypatch.setenv("RAPPORT_LOCK_WAIT", "0")
    return write_warehouse(tmp_path / "rapport.duckdb", marts("large"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- How exactly things are said


@pytest.mark.parametrize(
    ("count", "shown"), [(0, 0), (10, 12), (12, 12), (14, 12), (15, 17), (189, 187), (190, 192), (3087, 3087)]
)
def test_counts_are_the_middle_of_their_five(count: int, shown: int) -> None:
    assert middle(count, 5) == shown
    assert middle(count, 1) == count


def test_no_class_of_counts_is_cut_by_the_threshold() -> None:
    """Of a class that holds counts below and above it only the upper ones would be shown, and so told exactly."""
    for min_cell in range(2, 40):
        for base in (1, 3, 5, 7):
            least = threshold(min_cell, base)
            assert least >= min_cell
            shown = [n for n in range(1, 200) if n >= least]
            for value in {middle(n, base) for n in shown}:
                members = [n for n in range(1, 300) if middle(n, base) == value]
                assert len(members) == base
                assert min(members) >= least


def test_a_mean_of_whole_numbers_leaves_every_n_possible() -> None:
    for n in (10, 14, 37, 99, 100, 250):
        decimals = of_mean(n)
        for value in np.round(np.linspace(20, 21, 11), decimals):
            for other in range(max(10, n // 5 * 5), n // 5 * 5 + 5):
                nearest = round(float(value) * other) / other
                assert abs(nearest - value) <= 0.5 * 10.0**-decimals + 1e-9, (n, value, other)


def test_digits_of_statistics() -> None:
    assert [of_p(p) for p in (0.0004, 0.00096, 0.0404, 0.9996)] == [0.0, 0.0, 0.04, 1.0]
    assert [significant(value, 500) for value in (123.4, 12.34, 1.234, 0.1234, 0.00123)] == [0, 1, 2, 3, 3]
    assert [significant(value, 40) for value in (123.4, 12.34, 1.234, 0.1234)] == [0, 0, 1, 2]
    assert [of_rank_sum(w) for w in (123456.5, 345.5, 0.0)] == [123000.0, 346.0, 0.0]


# --- What a release of real data holds


@pytest.mark.parametrize("cohort", ["unbalanced", further("sex_missing"), "large", further("tiny")])
def test_every_count_is_rounded_and_none_is_small(tmp_path: Path, cohort: str) -> None:
    tables = released(tmp_path, marts(cohort))
    seen = 0
    columns = ("n", "participants", "excluded", "quarantined", "delivered", "superseded", "used", "unexpected")
    for name, frame in tables.items():
        for column in set(columns) & set(frame.columns):
            values = frame[column].dropna()
            seen += len(values)
            assert ((values == 0) | ((values >= 12) & (values % 5 == 2))).all(), (name, column)
    counts = tables["table_1"].query("statistic == 'n'")["value"].dropna()
    assert ((counts == 0) | ((counts >= 12) & (counts % 5 == 2))).all()
    assert seen > 30


def test_percentages_are_of_rounded_counts(tmp_path: Path) -> None:
    tables = released(tmp_path, marts("large"))
    table_1 = tables["table_1"]
    value = table_1.assign(level=table_1["level"].fillna("")).set_index(
        ["variable", "level", "utilization_type", "statistic"]
    )["value"]
    for column in (*TYPES, "total"):
        n = value["participants", "", column, "n"]
        assert value["sex", "female", column, "percent"] == round(100 * value["sex", "female", column, "n"] / n, 1)
        assert value["participants", "", column, "percent"] == round(
            100 * n / value["participants", "", "total", "n"], 1
        )
    findings = tables["inference_results"].set_index(["analysis", "term"])
    recovery = findings.loc[("clinical_recovery", "screened_positive")]
    hits = {middle(h, 5) / recovery["n"] for h in range(int(recovery["n"]))}
    assert any(abs(recovery["estimate"] - share) < 5e-4 for share in hits)
    paired = findings.loc[("wellbeing_change", "followup - baseline")]
    assert paired["df"] == paired["n"] - 1
    tukey = findings.loc["wellbeing_change_by_utilization_tukey"]
    assert (tukey["df_residual"] == paired["n"] - 3).all()


@pytest.mark.parametrize("cohort", ["unbalanced", further("sex_missing"), "single_member", further("empty_group")])
def test_statistics_appear_if_and_only_if_their_n_does(tmp_path: Path, cohort: str) -> None:
    """A median that goes alone says that its group is of 1 to 9; one that stays beside a hidden n, that it is not."""
    tables = released(tmp_path, marts(cohort))
    before = marts(cohort)["inference_results"]
    findings = tables["inference_results"]
    hidden = findings["n"].isna()
    assert 0 < hidden.sum() < len(hidden)
    assert findings.loc[hidden, list(RULES["inference_results"].figures)].isna().all(axis=None)
    for column in ("estimate", "statistic", "p_value", "ci_low"):
        assert (findings.loc[~hidden, column].notna() == before.loc[~hidden, column].notna()).all(), column
    numeric = tables["table_1"][tables["table_1"]["statistic"].isin(("n", "mean", "sd", "median"))]
    numeric = numeric[numeric["variable"].isin(("age_years", "alliance_score"))]
    for _, group in numeric.groupby(["variable", "utilization_type"]):
        assert group["suppressed"].nunique() == 1


def test_the_p_of_ranks_does_not_tell_the_size_of_a_group(tmp_path: Path) -> None:
    """At full precision it has one solution: with three decimals, and gone where the n is gone, it has none."""
    seen = 0
    for cohort in ("unbalanced", "large"):
        findings = released(tmp_path, marts(cohort))["inference_results"]
        for column in ("p_value", "p_adjusted"):
            values = findings[column].dropna()
            assert (values == values.round(3)).all()
            seen += len(values)
        ranks = findings[findings["statistic_name"] == "W"]
        assert (ranks["p_value"].isna() == ranks["n"].isna()).all()
        assert (ranks["statistic"].dropna().astype(int).astype(str).str.rstrip("0").str.len() <= 3).all()
    assert seen > 30


@pytest.mark.builds
def test_a_note_names_no_number(tmp_path: Path) -> None:
    """Rows that are enough to be shown may be too few for a model, and the note would give their number exactly."""
    before = marts("large")
    findings = before["inference_results"].copy()
    row = findings.index[findings["analysis"] == "alliance_vs_age"][0]
    findings["note"] = findings["note"].astype(object)
    for note, shown in (
        ("too few rows: 12 for 13 coefficients", "too few rows"),
        ("no participants in group both", "no participants in group both"),
        ("effect size: too few rows: 3, at least 4 are needed", "effect size: too few rows"),
    ):
        findings.loc[row, "note"] = note
        after = _release(tmp_path, {**before, "inference_results": findings})["inference_results"]
        assert after["n"][row] == middle(2500, 5)
        assert after["note"][row] == shown


def test_bars_are_merged_until_each_stands(tmp_path: Path) -> None:
    """A gap beside the mean, the deviation and the extremes gives the hidden bar."""
    seen = 0
    for cohort in ("unbalanced", "tied", "single_member", "large"):
        before, after = marts(cohort)["alliance_distribution"], released(tmp_path, marts(cohort))
        sizes = after["table_1"].query("variable == 'participants' and statistic == 'n'").set_index("utilization_type")
        for name, bars in after["alliance_distribution"].groupby("utilization_type"):
            of_type = before[before["utilization_type"] == name]
            if pd.isna(sizes["value"][name]):
                assert bars[["score_from", "score_to"]].to_numpy().tolist() == [[1.0, 5.0]], "how many bars tells, too"
                assert bars["participants"].isna().all()
                continue
            assert bars["participants"].notna().all()
            for bar in bars.to_dict("records"):
                inside = of_type["score_from"].between(bar["score_from"], bar["score_to"], inclusive="left")
                if bar["score_from"] == 5.0 or 5.0 not in set(bars["score_from"]):
                    inside |= (of_type["score_from"] == 5.0) & (bar["score_to"] == 5.0)
                people = of_type.loc[inside, "participants"].sum()
                assert people >= 10
                assert bar["participants"] == middle(people, 5)
                seen += int(inside.sum() > 1)
    assert seen > 3, "some bars were merged"


@pytest.mark.builds
def test_extremes_are_percentiles_on_real_data(tmp_path: Path) -> None:
    _, tables = marts_of_golden("large", percentiles=True)
    real = released(tmp_path, tables)["table_1"]
    assert {"p5", "p95"} <= set(real["statistic"])
    assert not {"min", "max"} & set(real["statistic"])
    assert not {"min", "max"} & set(released(tmp_path, marts("large"))["table_1"]["statistic"])
    for percentile in ("p5", "p95"):
        rows = real[real["statistic"] == percentile]
        is_score = rows["variable"] == "alliance_score"
        assert (rows.loc[~is_score, "value"] % 1 == 0).all()
        assert (rows.loc[is_score, "value"] * 2 % 1 == 0).all(), "half points"
        exact = tables["table_1"].merge(rows, on=["variable", "utilization_type", "statistic"], suffixes=("", "_given"))
        off = (exact["value"] - exact["value_given"]).abs()
        assert len(off) == 5 * 4
        assert (off <= np.where(exact["variable"] == "alliance_score", 0.25, 0.5)).all()
    synthetic = released(tmp_path, marts("large"), synthetic=True)["table_1"]
    assert {"min", "max"} <= set(synthetic["statistic"])


def test_medians_of_whole_numbers_are_whole(tmp_path: Path) -> None:
    """Half a unit tells that the number of people is even."""
    before = marts("tied")["table_1"].query("statistic == 'median'").set_index(["variable", "utilization_type"])
    after = released(tmp_path, marts("tied"))["table_1"].query("statistic == 'median'")
    after = after.set_index(["variable", "utilization_type"])
    whole = [name for name in after.index if name[0] != "alliance_score"]
    assert (before.loc[whole, "value"] % 1 == 0.5).any()
    assert (after.loc[whole, "value"].dropna() % 1 == 0).all()
    assert ((after["value"] - before["value"]).abs().dropna() <= 0.5).all()


def test_a_mean_has_no_digit_that_tells_its_parts_how_large_they_are(tmp_path: Path) -> None:
    """Two people more or fewer move a mean by less than a unit of its last digit, each by a deviation."""
    seen = set()
    for cohort in ("unbalanced", "tied", "large"):
        table_1 = released(tmp_path, marts(cohort))["table_1"]
        value = table_1.dropna(subset="value").set_index(["variable", "utilization_type", "statistic"])["value"]
        for variable, column, statistic in value.index:
            if statistic == "mean":
                mean, sd, n = (value[variable, column, name] for name in ("mean", "sd", "n"))
                unit = 10.0 ** -max(len(f"{figure:.2f}".rstrip("0").partition(".")[2]) for figure in (mean, sd))
                assert unit >= min(1.0, 1.9 * sd / n), (cohort, variable, column)
                seen.add(unit)
    assert seen >= {1.0, 0.1, 0.01}


@pytest.mark.builds
def test_rows_judged_and_left_out_give_no_count_back(tmp_path: Path) -> None:
    """Rows judged less rows in use are those that were left out; of participants they are people."""
    left_out = {"participants": (3, 0, 0), "sessions": (0, 60, 14), "alliance_ratings": (0, 700, 0)}
    _, tables = marts_of(*cohorts.read("large"), EXCLUDED, left_out)
    found = released(tmp_path, tables)
    assert found["verdicts"]["evaluated"].isna().all()
    assert found["verdicts"]["unexpected"].isna().tolist() == [True, False], "7 failing rows, and none"
    rows = found["source_summary"].set_index("table_name")
    assert rows.loc["participants", ["delivered", "erased"]].isna().all()
    assert rows.loc["sessions", ["delivered", "quarantined"]].isna().all(), "14 could be told to be below 15"
    assert rows.loc["sessions", "superseded"] == 62
    assert rows.loc["alliance_ratings", ["delivered", "superseded", "used"]].notna().all()
    assert rows["first_event_on"].tolist() == [pd.Timestamp("2020-09-01")] * 4, "the day is that of one person"


def test_participants_in_use_are_those_of_the_flow(tmp_path: Path) -> None:
    tables = {**marts("large")}
    summary = tables["source_summary"].copy()
    summary.loc[0, "used"] += 1
    with pytest.raises(DisclosureError, match="in another table"):
        released(tmp_path, {**tables, "source_summary": summary})


def test_lines_go_with_a_coefficient_of_their_model(tmp_path: Path) -> None:
    tables = released(tmp_path, marts("single_member"))
    findings = tables["inference_results"].set_index("analysis")
    gone = {
        name for name in findings.index if name.startswith("moderation") and findings.loc[name, "estimate"].isna().any()
    }
    assert "moderation_by_utilization" in gone
    for row in tables["alliance_slopes"].to_dict("records"):
        assert (pd.isna(row["slope"]) and pd.isna(row["n"])) == (row["analysis"] in gone)


@pytest.mark.parametrize("cohort", ["unbalanced", "large"])
def test_nothing_is_withheld_of_invented_people(tmp_path: Path, cohort: str) -> None:
    synthetic, real = (released(tmp_path, marts(cohort), synthetic=flag) for flag in (True, False))
    for name, before in marts(cohort).items():
        after = synthetic[name]
        for column in before.columns:
            assert after[column].isna().tolist() == before[column].isna().tolist(), (name, column)
            both = before[column].notna()
            assert (after.loc[both, column] == before.loc[both, column]).all(), (name, column)
    for name in ("eligibility_flow", "inference_results", "model_fit", "wellbeing_transitions", "alliance_slopes"):
        assert (
            synthetic[name][SUPPRESSED_COLUMNS].fillna("").tolist()
            == real[name][SUPPRESSED_COLUMNS].fillna("").tolist()
        )
    assert synthetic["table_1"]["suppressed"].any()


# --- The folder


def test_a_release_is_whole_and_for_its_owner_only(
    database: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "release"
    before = database.read_bytes()
    assert main(["--out", str(out)]) == GOOD
    printed = capfd.readouterr().out
    assert printed.startswith(f"{out}: {len(NAMES)} tables of build b-1 (not marked as synthetic), ")
    assert "figures withheld (min_cell 10, counts rounded to 5)" in printed
    assert printed.count("\n") == 1, "and nothing of the solver's"
    assert database.read_bytes() == before
    assert {path.name for path in out.iterdir()} == FILES
    assert [path.name for path in out.parent.iterdir()] == ["release"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_a_release_is_for_those_whom_the_file_mode_names(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAPPORT_FILE_MODE", "0640")
    out = tmp_path / "release"
    assert main(["--out", str(out)]) == GOOD
    assert stat.S_IMODE(out.stat().st_mode) == 0o750
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir() if path.is_file()} == {0o640}
    monkeypatch.setenv("RAPPORT_FILE_MODE", "0666")
    assert main(["--out", str(out)]) == 2
    assert "RAPPORT_FILE_MODE is '0666'" in capfd.readouterr().err


def test_the_export_is_another_name_of_it() -> None:
    assert export.main is main


def test_both_files_hold_the_table(database: Path, tmp_path: Path) -> None:
    database.unlink()
    write_warehouse(database, marts("unbalanced"))
    assert main(["--out", str(tmp_path / "release")]) == GOOD
    protected = protect(read_publication(database))
    assert protected["inference_results"]["n"].isna().any(), "an integer that is null"
    for name, frame in protected.items():
        stem = tmp_path / "release" / name
        with duckdb.connect() as connection:
            types = dict(
                connection.execute(f"select column_name, column_type from (describe from '{stem}.parquet')").fetchall()
            )
            parquet = connection.execute(f"from '{stem}.parquet'").fetchall()
            csv = connection.execute(f"from read_csv('{stem}.csv', types = {types})").fetchall()
            about = dict(
                connection.execute(
                    f"select decode(key), decode(value) from parquet_kv_metadata('{stem}.parquet')"
                ).fetchall()
            )
        assert parquet == csv
        assert list(types) == list(frame.columns)
        assert {types[column] for column in types if column in ("n", "participants", "excluded")} <= {"BIGINT"}
        assert types[SUPPRESSED] == "BOOLEAN"
        assert about["build_id"] == "b-1"
        assert about["min_cell"] == "10"
        assert len(parquet) == len(frame)


def test_the_manifest_counts_what_is_missing(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    assert main(["--out", str(out)]) == GOOD
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["build"] == {
        "build_id": "b-1",
        "build_number": 7,
        "published_at": "2026-01-02T03:04:05Z",
        "versions": "rapport 0.1.0",
        "git_revision": "abc",
        "input_fingerprint": "f00",
    }
    assert (manifest["min_cell"], manifest["round_counts"], manifest["data"]) == (10, 5, "not marked as synthetic")
    assert manifest["protection"] == "applied"
    assert manifest["manifest_sha256"] == own_hash(manifest)
    for name in NAMES:
        frame = pd.read_csv(out / f"{name}.csv", dtype={SUPPRESSED_COLUMNS: str})
        marked = frame[SUPPRESSED_COLUMNS].dropna().str.split(",").explode()
        entry = manifest["tables"][name]
        assert entry["rows"] == len(frame)
        assert entry["rows_with_suppressed_figures"] == frame[SUPPRESSED].sum()
        assert entry["suppressed_figures"] == len(marked)
        assert entry["suppressed_by_column"] == dict(marked.value_counts())
        assert entry["sha256"].keys() == {f"{name}.csv", f"{name}.parquet"}
    assert manifest["tables"]["table_1"]["suppressed_figures"] > 0


def test_only_a_release_is_replaced(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "release"
    out.mkdir()
    assert main(["--out", str(out)]) == GOOD
    assert main(["--out", str(out)]) == GOOD

    def is_left(message: str) -> None:
        before = contents(out)
        assert main(["--out", str(out)]) == IMPOSSIBLE
        assert message in capsys.readouterr().err
        assert contents(out) == before

    (out / "thesis.docx").write_text("mine")
    is_left("holds 'thesis.docx', which is no part of a release")
    (out / "thesis.docx").unlink()
    kept = (out / "table_1.csv").read_text()
    (out / "table_1.csv").write_text(kept + "my own line\n")
    is_left("table_1.csv is not as the release wrote it")
    (out / "table_1.csv").write_text(kept)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | {"min_cell": 3}))
    is_left("manifest.json was not written by this version, or was changed since")
    (out / "manifest.json").unlink()
    is_left("has no manifest.json")
    assert main(["--out", str(database)]) == IMPOSSIBLE
    assert "is no folder" in capsys.readouterr().err
    (tmp_path / "link").symlink_to(tmp_path)
    assert main(["--out", str(tmp_path / "link")]) == IMPOSSIBLE


def test_a_folder_with_the_names_of_a_release_is_not_taken_for_one(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    out.mkdir()
    (out / "table_1.csv").write_text("my own table")
    assert main(["--out", str(out)]) == IMPOSSIBLE
    assert contents(out) == {"table_1.csv": b"my own table"}


def test_a_failure_in_the_middle_leaves_the_earlier_release(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "release"
    assert main(["--out", str(out)]) == GOOD
    before = contents(out)
    real = Path.rename

    def full(self: Path, target: Path) -> Path:
        if ".new-" in self.name:
            raise OSError(28, os.strerror(28), str(self))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", full)
    assert main(["--out", str(out)]) == IMPOSSIBLE
    assert "No space left on device; nothing was released" in capsys.readouterr().err
    assert contents(out) == before
    assert {path.name for path in tmp_path.iterdir()} == {"release", database.name}


def test_what_was_never_published_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(path: Path) -> tuple[int, str]:
        monkeypatch.setenv("RAPPORT_DB", str(path))
        code = main(["--out", str(tmp_path / "release")])
        assert not (tmp_path / "release").exists()
        return code, capsys.readouterr().err

    large = marts("large")
    code, message = refusal(tmp_path / "none.duckdb")
    assert code == IMPOSSIBLE
    assert message == f"rapport.release: no database {tmp_path / 'none.duckdb'}; build first; nothing was released\n"
    (tmp_path / "text.duckdb").write_text("no database " * 999)
    assert refusal(tmp_path / "text.duckdb")[0] == IMPOSSIBLE
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    code, message = refusal(tmp_path / "empty.duckdb")
    assert code == REFUSED
    assert "has no published build" in message
    code, message = refusal(write_warehouse(tmp_path / "failed.duckdb", large, status="failed"))
    assert code == REFUSED
    assert "ops.builds does not say that the build of schema marts was published" in message
    code, message = refusal(write_warehouse(tmp_path / "older.duckdb", large, min_cell=None))
    assert code == REFUSED
    assert "min_cell" in message
    with duckdb.connect(str(write_warehouse(tmp_path / "changed.duckdb", large))) as connection:
        connection.execute("delete from marts.model_fit where step = 2")
    code, message = refusal(tmp_path / "changed.duckdb")
    assert code == REFUSED
    assert "marts.model_fit has" in message


def test_a_new_figure_without_a_rule_is_refused(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "release")]) == GOOD
    before = contents(tmp_path / "release")
    with duckdb.connect(str(database)) as connection:
        connection.execute("alter table marts.eligibility_flow add column waiting bigint")
    assert main(["--out", str(tmp_path / "release")]) == REFUSED
    assert "eligibility_flow: no rule for column waiting; nothing was released" in capsys.readouterr().err
    assert contents(tmp_path / "release") == before


def test_counts_are_rounded_where_the_build_does_not_say(tmp_path: Path) -> None:
    path = write_warehouse(tmp_path / "x.duckdb", marts("tiny"), round_counts=None)
    assert read_publication(path).round_counts == 5


def test_a_lock_is_waited_for_and_its_holder_named(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()",
            str(database),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert main(["--out", str(tmp_path / "release")]) == IMPOSSIBLE
        message = capsys.readouterr().err
        assert f"PID {holder.pid}" in message
        assert "Waited 0 s (RAPPORT_LOCK_WAIT)" in message
        assert not (tmp_path / "release").exists()
        monkeypatch.setenv("RAPPORT_LOCK_WAIT", "30")
        monkeypatch.setattr(opening.time, "sleep", lambda _: holder.communicate())
        assert main(["--out", str(tmp_path / "release")]) == GOOD
    finally:
        holder.communicate()


# --- Releases of other days


def test_an_earlier_release_is_frozen_and_compared_in_rounded_counts(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    assert main(["--out", str(out)]) == GOOD
    first = contents(out)
    write_warehouse(database, marts("unbalanced"), build="b-2", number=8)
    assert main(["--out", str(out)]) == GOOD
    frozen = tmp_path / "release-earlier" / "0007-b-1"
    assert contents(frozen) == first
    assert open_release(frozen).build_id == "b-1"
    assert stat.S_IMODE(frozen.stat().st_mode) == 0o700
    rows = pd.read_csv(out / "history.csv")
    assert rows["build_number"].tolist() == [7, 7, 7, 7]
    assert rows["is_compared"].all()
    assert dict(zip(rows["quantity"], rows["participants"], strict=True))["cohort"] == 2502
    assert main(["--out", str(out)]) == GOOD, "the same build again"
    assert [path.name for path in (tmp_path / "release-earlier").iterdir()] == ["0007-b-1"]
    assert {path.name for path in out.iterdir()} == FILES, "the folder to be handed out is one release"
    assert stat.S_IMODE((tmp_path / "release-earlier").stat().st_mode) == 0o700
    write_warehouse(database, marts("large"), build="b-1", number=7)
    assert main(["--out", str(out)]) == GOOD, "an old database again"
    assert sorted(path.name for path in (tmp_path / "release-earlier").iterdir()) == ["0007-b-1", "0008-b-2"]
    assert contents(frozen) == first
    assert set(pd.read_csv(out / "history.csv")["build_number"]) == {8}
    (frozen / "table_1.csv").write_text("changed")
    assert main(["--out", str(out)]) == IMPOSSIBLE
    assert open_release(out).build_id == "b-1"


def without(cohort: str, people: int) -> Tables:
    """The tables of a cohort that lacks its last participants."""
    participants, ratings = cohorts.read(cohort)
    kept = participants.iloc[:-people]
    return marts_of(kept, ratings[ratings["participant_id"].isin(kept["participant_id"])])[1]


def test_a_failure_between_two_releases_keeps_both(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one is kept before the new one takes its place: the same one twice, until the next release."""
    out = tmp_path / "release"
    assert main(["--out", str(out)]) == GOOD
    first = contents(out)
    write_warehouse(database, marts("unbalanced"), build="b-2", number=8)
    with monkeypatch.context() as patch:
        patch.setattr(
            folder, "_replace", lambda out, new: (_ for _ in ()).throw(OSError(28, "No space left", str(out)))
        )
        assert main(["--out", str(out)]) == IMPOSSIBLE
    assert contents(out) == first == contents(tmp_path / "release-earlier" / "0007-b-1")
    assert {path.name for path in tmp_path.iterdir()} == {"release", "release-earlier", database.name}
    assert main(["--out", str(out)]) == GOOD
    assert [path.name for path in (tmp_path / "release-earlier").iterdir()] == ["0007-b-1"]
    assert pd.read_csv(out / "history.csv")["build_number"].tolist() == [7] * 4


@pytest.mark.builds
def test_one_person_more_is_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """n and the mean of two days give the change of the one person between them."""
    database, out = tmp_path / "rapport.duckdb", tmp_path / "release"
    monkeypatch.setenv("RAPPORT_DB", str(database))
    for number, gone in ((7, 20), (8, 1), (9, 0)):
        tables = without("tied", gone) if gone else marts("tied")
        write_warehouse(database, tables, build=f"b-{number}", number=number)
        capsys.readouterr()
        assert main(["--out", str(out)]) == GOOD
    assert "fewer than 10 people are known to differ from the release of build 8" in capsys.readouterr().err
    rows = pd.read_csv(out / "history.csv").set_index(["build_number", "quantity"])
    assert rows.loc[8, "participants"].isna().all()
    assert rows.loc[8, "note"].str.startswith("not compared: fewer than 10 people").all()
    assert rows.loc[(7, "cohort"), "participants"] == 282
    assert set(pd.read_csv(out / "history.csv").columns) == {
        *("build_number", "build_id", "published_at", "quantity", "participants", "is_compared", "note"),
        *("suppressed", "suppressed_columns"),
    }


@pytest.mark.parametrize("is_standing", [True, further(False)])
def test_a_first_release_of_real_data_beside_the_demos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_standing: bool
) -> None:
    """Nobody can subtract invented people from real ones: what stood there is named, and there is no warning."""
    demo, own, out = tmp_path / "demo.duckdb", tmp_path / "own.duckdb", tmp_path / "release"
    monkeypatch.setenv("RAPPORT_DB", str(demo))
    write_warehouse(demo, marts("large"), build="of-the-demo", number=1, synthetic=True)
    assert main(["--out", str(out)]) == GOOD
    monkeypatch.setenv("RAPPORT_DB", str(own))
    write_warehouse(own, marts("tied"), build="b-1", number=1)
    if not is_standing:
        assert main(["--out", str(out)]) == GOOD
        write_warehouse(own, marts("unbalanced"), build="b-2", number=2)
    capsys.readouterr()
    assert main(["--out", str(out)]) == GOOD
    told = capsys.readouterr().err
    assert told == (
        f"rapport.release: {out} held a release of invented people. It is kept, and is not compared with this one: build 1"
        f" (export 'own', published 2025-12-27T03:04:05Z) in {out}-earlier/0001-of-the-d.\n"
        if is_standing
        else ""
    )
    assert set(pd.read_csv(out / "history.csv")["build_id"]) == (set() if is_standing else {"b-1"})


def test_a_release_of_another_database_is_named(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the same people are in both cannot be told: it is said where the earlier one comes from and what to do."""
    out, other = tmp_path / "release", tmp_path / "other.duckdb"
    assert main(["--out", str(out)]) == GOOD
    monkeypatch.setenv("RAPPORT_DB", str(other))
    write_warehouse(other, marts("tied"), build="b-9", number=1)
    capsys.readouterr()
    assert main(["--out", str(out)]) == GOOD
    assert capsys.readouterr().err == (
        "rapport.release: warning: the release of build 7 (export 'own', published 2026-01-02T03:04:05Z) in"
        f" {out}-earlier/0007-b-1 comes from another database: {other} has no such build. They are not compared with this"
        " one. If both are of the same people, hand out one of them only; if not, give this database a folder of its own (--out), or"
        " remove the earlier release.\n"
    )
    rows = pd.read_csv(out / "history.csv")
    assert rows["participants"].isna().all()
    assert set(rows["note"]) == {"not compared: its figures are not in the history of this warehouse"}
    # Of several one warning: it must not drown the others.
    write_warehouse(tmp_path / "third.duckdb", marts("tied"), build="b-10", number=1)
    monkeypatch.setenv("RAPPORT_DB", str(tmp_path / "third.duckdb"))
    assert main(["--out", str(out)]) == GOOD
    told = capsys.readouterr().err
    assert told.count("rapport.release: warning: ") == told.count("another database") == 1
    assert "the releases of build " in told
    assert "/0007-b-1; build 1 " in told or "/0001-b-9; build 7 " in told


@pytest.mark.builds
def test_a_build_without_figures_after_an_erasure_is_no_other_database(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "release"
    assert main(["--out", str(out)]) == GOOD
    write_warehouse(database, without("large", 1), build="b-2", number=8)
    with duckdb.connect(str(database)) as connection:
        connection.execute("delete from ops.findings_history where build_id = 'b-1'")
    capsys.readouterr()
    assert main(["--out", str(out)]) == GOOD
    told = capsys.readouterr().err
    assert "it cannot be told how many people differ from the release of build 7" in told
    assert "another database" not in told
    # The first release is still one of this warehouse, and under other rules the two would tell what either hides.
    write_warehouse(database, marts("large"), build="b-3", number=9, min_cell=20)
    with duckdb.connect(str(database)) as connection:
        connection.execute("delete from ops.findings_history where build_id <> 'b-3'")
    assert main(["--out", str(out)]) == REFUSED
    assert "holds a release of this warehouse with min_cell 10" in capsys.readouterr().err


def test_how_many_people_lie_between_two_builds(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    write_warehouse(path, marts("tied"), build="all", number=1)
    write_warehouse(path, without("tied", 7), build="fewer", number=2)
    findings = read_publication(path).findings
    assert people_apart(PUBLISHED, findings, "all", "fewer") == 7
    assert people_apart(PUBLISHED, findings, "fewer", "all") == 7
    assert people_apart(PUBLISHED, findings, "all", "all") == 0
    assert people_apart(PUBLISHED, findings, "all", "none") is None
    moved = findings[findings["build_id"] == "all"].assign(build_id="moved")
    is_female = (moved["analysis"] == "alliance_group_medians") & (moved["term"] == "female")
    moved.loc[is_female, "n"] += 3  # three whose sex was missing
    assert people_apart(PUBLISHED, pd.concat([findings, moved]), "all", "moved") == 3


def test_releases_under_other_rules_do_not_lie_together(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six exports at different thresholds narrow what each of them hides."""
    out = tmp_path / "release"
    assert main(["--out", str(out)]) == GOOD
    with pytest.raises(SystemExit) as left:
        main(["--out", str(out), "--min-cell", "20"])
    assert left.value.code == 2
    before = contents(out)
    for number, rules in ((8, {"min_cell": 20}), (9, {"round_counts": 3})):
        write_warehouse(database, marts("large"), build=f"b-{number}", number=number, **rules)  # type: ignore[arg-type]
        capsys.readouterr()
        assert main(["--out", str(out)]) == REFUSED
        assert "holds a release of this warehouse with min_cell 10 and round_counts 5" in capsys.readouterr().err
        assert contents(out) == before
    assert main(["--out", str(tmp_path / "other")]) == GOOD


def test_a_folder_that_cannot_be_read_is_impossible(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "release"
    assert main(["--out", str(out)]) == GOOD
    before = contents(out)

    def refused(path: Path, *_arguments: object, **_named: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", refused)
        assert main(["--out", str(out)]) == IMPOSSIBLE
    told = capsys.readouterr().err
    assert ": cannot be read: Permission denied; nothing was released" in told
    assert contents(out) == before


def test_a_missing_folder_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(NoRelease, match="is no folder"):
        open_release(tmp_path / "none")


# --- After an erasure


def forget(connection: duckdb.DuckDBPyConnection, min_cell: int = 10) -> None:
    source = (ROOT / "macros/forget_findings.sql").read_text(encoding="utf-8")
    macro = Environment().from_string(source + "{{ forget_findings_of_few(" + str(min_cell) + ") }}")
    for statement in macro.render().split(";"):
        if statement.strip():
            connection.execute(statement)


def test_after_an_erasure_the_history_loses_what_finds_the_person(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    erased = without("tied", 1)
    write_warehouse(path, without("tied", 20), build="early", number=1)
    write_warehouse(path, marts("tied"), build="with", number=2)
    write_warehouse(path, marts("tied"), build="again", number=3)
    write_warehouse(path, erased, build="without", number=4)
    with duckdb.connect(str(path)) as connection:
        before = connection.execute("from ops.findings_history").df()
        forget(connection)
        after = connection.execute("from ops.findings_history").df()
    assert len(before) == 4 * 65
    rows = {(r["build_id"], r["analysis"], r["term"]): r for r in after.to_dict("records")}
    assert len(after[after["build_id"] == "without"]) == 65, "the newest stays whole"
    total = ("alliance_group_medians", "total")
    assert ("with", *total) not in rows
    assert ("again", *total) not in rows
    assert ("early", *total) in rows, "19 people lie between"
    figures = [c for c in after.columns if c not in ("build_id", "build_number", "published_at")]
    for (_, analysis, term), row in rows.items():
        newest = rows["without", analysis, term]
        if all(row[c] == newest[c] or (pd.isna(row[c]) and pd.isna(newest[c])) for c in figures):
            continue
        assert abs(row["n"] - newest["n"]) >= 10, (row["build_id"], analysis, term)


def test_forgetting_compares_with_every_build_that_stays(tmp_path: Path) -> None:
    """100, then 120, then 101: the first differs from the last by one."""
    with duckdb.connect() as connection:
        connection.execute("create schema ops")
        connection.execute(
            "create table ops.findings_history as select * from (values"
            " ('a', 1, 'x', 't', 100, 1.0), ('b', 2, 'x', 't', 120, 2.0), ('c', 3, 'x', 't', 101, 3.0),"
            " ('a', 1, 'y', 't', 50, 1.0), ('b', 2, 'y', 't', 50, 1.0), ('c', 3, 'y', 't', 50, 1.0),"
            " ('b', 2, 'z', 't', 50, 1.0), ('c', 3, 'z', 't', 50, 9.0)) as v"
            " (build_id, build_number, analysis, term, n, estimate)"
        )
        connection.execute("alter table ops.findings_history add column published_at timestamp")
        forget(connection)
        left = connection.execute(
            "select analysis, string_agg(build_id order by build_id) from ops.findings_history group by all order by all"
        ).fetchall()
    assert left == [("x", "b,c"), ("y", "a,b,c"), ("z", "c")]


# --- Whole builds


def test_a_build_is_released_with_its_vars(built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 400 generated participants few are eligible, so that hardly a group is large enough."""
    monkeypatch.setenv("RAPPORT_DB", str(built.db))
    assert main(["--out", str(tmp_path / "release")]) == GOOD
    manifest = json.loads((tmp_path / "release/manifest.json").read_text())
    assert [(manifest["build"]["build_id"], manifest["min_cell"])] == built.query(
        "select distinct build_id, min_cell from audit.publish"
    )
    assert manifest["min_cell"] == 10
    assert (manifest["data"], manifest["protection"], manifest["is_calibrated"]) == ("synthetic", "marked", False)
    assert "duckdb 2.0.0" in manifest["build"]["versions"]
    for name in RULES:
        assert manifest["tables"][name]["rows"] == built.query(f"select count(*) from marts.{name}")[0][0]
        # The percentiles take the place of extremes in a release of real data.
        own = "exclude (percentile)" if name == "table_1" else ""
        assert built.query(f"select * {own} from marts.{name} order by all") == built.query(
            f"select * exclude (suppressed, suppressed_columns) from '{tmp_path}/release/{name}.parquet' order by all"
        )
    outcome = built.dbt("compile", "--select", "build", "--vars", "{min_cell: 1}")
    assert not outcome.success
    assert "var min_cell is 1; it must be a whole number, 2 or more" in outcome.output
    outcome = built.dbt("compile", "--select", "build", "--vars", "{round_counts: 0}")
    assert not outcome.success
    assert "var round_counts is 0; it must be a whole number, 1 or more" in outcome.output


def test_make_knows_the_command() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "\n## make release " in makefile
    assert "-m rapport.release" in makefile
    assert "\nexport: release\n" in makefile
