"""Invented exports as the warehouse publishes them: every table that a release is made from, and a database of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from sensitivity_statistics import sensitivity_results, trajectory
from sufficient_statistics import (
    PUBLISHED,
    TWO_INSTRUMENTS,
    analysis_cohort,
    change_sums,
    cohorts,
    reduce,
    regression_sums,
)

from rapport import disclosure
from rapport.disclosure import populations, rules
from rapport.providers import provider_alliance
from rapport.service import service_signals
from rapport.studies import Study
from rapport.study import outcome_findings, outcome_fit

RULES, POPULATIONS = rules(PUBLISHED), populations(PUBLISHED)
disclose = partial(disclosure.disclose, rules=RULES, populations=POPULATIONS)
judge = partial(disclosure.judge, rules=RULES, populations=POPULATIONS)
TYPES = ("teletherapy", "telecoaching", "both")
CRITERIA = ("adult", "sponsored", "registered", "session", "baseline", "followup", "rating")
EXCLUDED = (61, 418, 903, 2764, 397, 1880, 2898)
NUMERIC = ("age_years", "alliance_score", "follow_up_days", "total_sessions", "time_in_care_days")
PARAMETERS = {
    "study": PUBLISHED.name,
    **{"study_start": "2020-09-29", "study_end": "2021-10-12", "adult_age": "18", "min_sessions": "1"},
    **{"min_followup_days": "7", "who5_points_per_item": "4", "who5_cutoff": "28", "improvement_points": "10"},
    "equivalence_margin": "5",
    **{"home_country": "US", "on_bad_rows": "stop", "freshness_warn_hours": "36", "spc_min_points": "12"},
}

Tables = dict[str, pd.DataFrame]
People = pd.DataFrame


def people_of(cohort: pd.DataFrame) -> People:
    """The attributes that the tables count, and the numbers that they describe."""
    improved = cohort["followup_score"] - cohort["baseline_score"] >= 10
    return cohort.assign(
        sex=cohort["sex"].fillna("missing"),
        country=cohort["country_code"]
        .map(lambda code: "within_usa" if code == "US" else "outside_usa", na_action="ignore")
        .fillna("missing"),
        baseline=np.where(cohort["baseline_score"] <= 28, "positive", "negative"),
        followup=np.where(cohort["followup_score"] <= 28, "positive", "negative"),
        improved=np.where(improved, "yes", "no"),
        reported=np.where(cohort["sex"].notna(), "yes", "no"),
        grid_baseline=np.select(
            [cohort["baseline_score"] <= 28, cohort["baseline_score"] <= 50], ["to_28", "to_50"], "above"
        ),
        grid_days=np.select([cohort["follow_up_days"] >= days for days in (28, 14)], ["from_28", "from_14"], "from_7"),
        both_items=np.where(cohort["bond_mean"].notna() & cohort["goals_mean"].notna(), "yes", "no"),
    )


def with_reliable_change(people: People, sensitivity: pd.DataFrame) -> People:
    """Add whose change is more than the threshold, and who lost as much as makes an improvement."""
    threshold = sensitivity.set_index(["analysis", "term"]).loc[("reliable_change", "threshold"), "estimate"]
    change = people["followup_score"] - people["baseline_score"]
    beyond = change.abs() > threshold + 1e-9
    return people.assign(
        reliable=np.select([beyond & (change > 0), beyond & (change < 0)], ["improved", "deteriorated"], "no"),
        deteriorated=np.where(change <= -10, "yes", "no"),
    )


def with_phq9(people: People, seed: int) -> People:
    """Add a PHQ-9 of most people, in whose words fewer points are better: scores, and what the tables count of them."""
    chance = np.random.default_rng(seed)
    has = chance.random(len(people)) >= chance.uniform(0.0, 0.4)
    baseline = np.clip(np.rint(chance.normal(chance.uniform(1, 9), 4.5, len(people))), 0, 27).astype(int)
    followup = np.clip(np.rint(baseline - chance.normal(3, 4, len(people))), 0, 27).astype(int)

    def named(condition: np.ndarray, yes: str, no: str) -> np.ndarray:
        return np.where(has, np.where(condition, yes, no), "missing")

    return people.assign(
        phq9_baseline_score=baseline,
        phq9_followup_score=followup,
        phq9_baseline=named(baseline >= 10, "positive", "negative"),
        phq9_followup=named(followup >= 10, "positive", "negative"),
        phq9_improved=named(baseline - followup >= 6, "yes", "no"),
    )


def outcomes(people: People) -> Tables:
    """The findings of both instruments of the example study."""
    plain = people.assign(sex=people["sex"].where(people["sex"] != "missing", None))
    of_phq9 = plain.assign(baseline_score=people["phq9_baseline_score"], followup_score=people["phq9_followup_score"])[
        people["phq9_baseline"] == "positive"
    ]
    of_who5 = plain[people["baseline"] == "positive"]
    changes, sums = [], []
    for name, positive, prefix in (("who5", of_who5, ""), ("phq9", of_phq9, "phq9_")):
        recovered, improved = positive[f"{prefix}followup"] == "negative", positive[f"{prefix}improved"] == "yes"
        changes.append(change_sums(positive, recovered, improved).assign(instrument=name))
        sample = positive[positive["sex"].notna()].rename(columns={"time_in_care_days": "time_in_care"})
        sums.append(regression_sums(sample).assign(instrument=name))
    of_change, of_models = (pd.concat(frames, ignore_index=True) for frames in (changes, sums))
    return {
        "outcome_results": outcome_findings(of_change, of_models, TWO_INSTRUMENTS),
        "outcome_fit": outcome_fit(of_models, TWO_INSTRUMENTS).astype({"step": int}),
    }


def table_1(people: People, percentiles: bool = False) -> pd.DataFrame:
    rows: list[tuple[str, str | None, str, str, float]] = []

    def counted(variable: str, level: str | None, column: str, n: int, base: int) -> None:
        rows.append((variable, level, column, "n", n))
        rows.append((variable, level, column, "percent", 100.0 * n / base if base else np.nan))

    for column in (*TYPES, "total"):
        group = people if column == "total" else people[people["utilization_type"] == column]
        counted("participants", None, column, len(group), len(people))
        for level in ("female", "male", "missing"):
            counted("sex", level, column, int((group["sex"] == level).sum()), len(group))
        known = group[group["country"] != "missing"]
        for level in ("within_usa", "outside_usa"):
            counted("country", level, column, int((known["country"] == level).sum()), len(known))
        counted("screened_positive", None, column, int((group["baseline"] == "positive").sum()), len(group))
        for variable in NUMERIC:
            values = group[variable].astype(float)
            figures = [values.count(), values.mean(), values.std(), values.median(), values.min(), values.max()]
            names = ["n", "mean", "sd", "median", "min", "max"]
            if percentiles:
                figures += [values.quantile(0.05), values.quantile(0.95)]
                names += ["p5", "p95"]
            rows += [(variable, None, column, name, float(figure)) for name, figure in zip(names, figures, strict=True)]
    frame = pd.DataFrame(rows, columns=["variable", "level", "utilization_type", "statistic", "value"])
    return frame.astype({"level": "object"})


def flow(eligible: int, excluded: Iterable[int], quarantined: Iterable[int] = (0,) * 8) -> pd.DataFrame:
    gone = [0, *excluded]
    left = [eligible + sum(gone[step + 1 :]) for step in range(8)]
    return pd.DataFrame(
        {
            "step": range(8),
            "criterion": ["all", *CRITERIA],
            "participants": left,
            "excluded": gone,
            "quarantined": list(quarantined),
        }
    )


def distribution(people: People) -> pd.DataFrame:
    score = people["alliance_score"]
    start = np.where(score < 3, 1.0, np.floor(2 * score) / 2)
    counted = people.assign(score_from=start).groupby(["utilization_type", "score_from"]).size()
    frame = counted.rename("participants").reset_index()
    frame.insert(2, "score_to", np.where(frame["score_from"] == 1, 3.0, np.minimum(frame["score_from"] + 0.5, 5.0)))
    sums = frame.groupby("utilization_type")["participants"].transform("sum")
    return frame.assign(percent=100.0 * frame["participants"] / sums)


def transitions(people: People) -> pd.DataFrame:
    def band(column: str) -> pd.Series:
        return np.clip(np.ceil((people[column] - 28) / 16), 0, 3).astype(int)

    counted = people.assign(b=band("baseline_score"), f=band("followup_score")).groupby(["b", "f"]).size()
    frame = counted.rename("participants").reset_index()
    for name, column in (("baseline", "b"), ("followup", "f")):
        frame[f"{name}_from"] = np.where(frame[column] == 0, 0, 28 + 16 * (frame[column] - 1) + 1)
        frame[f"{name}_to"] = np.where(frame[column] == 3, 100, 28 + 16 * frame[column])
    frame["percent"] = 100.0 * frame["participants"] / frame.groupby("b")["participants"].transform("sum")
    return frame[["baseline_from", "baseline_to", "followup_from", "followup_to", "participants", "percent"]]


def reasons(excluded: Iterable[int]) -> pd.DataFrame:
    """Two reasons for each criterion that excluded more than one: a third and the rest."""
    rows = []
    for criterion, number in zip(CRITERIA, excluded, strict=True):
        parts = {"one": number // 3, "other": number - number // 3}
        rows += [(criterion, f"{criterion}, {name}", n) for name, n in parts.items() if n]
    return pd.DataFrame(rows, columns=["criterion", "reason", "participants"])


def source_summary(everyone: int, left_out: Mapping[str, tuple[int, int, int]]) -> pd.DataFrame:
    rows = []
    for table, used in (
        ("participants", everyone),
        ("who5_assessments", 3 * everyone + 1),
        ("sessions", 4 * everyone + 3),
        ("alliance_ratings", 2 * everyone + 1),
    ):
        erased, superseded, quarantined = left_out.get(table, (0, 0, 0))
        rows.append(
            {
                "table_name": table,
                "delivered": used + erased + superseded + quarantined,
                "erased": erased,
                "superseded": superseded,
                "quarantined": quarantined,
                "used": used,
                "first_event_on": pd.Timestamp("2020-09-17"),
                "last_event_on": pd.Timestamp("2021-10-09"),
                "last_loaded_at": pd.Timestamp("2021-10-20 03:04:05"),
            }
        )
    return pd.DataFrame(rows)


def service_monthly(people: People, everyone: int, months: int = 14) -> pd.DataFrame:
    """A service of which each participant has four sessions or so, in a random month, of a random type and status."""
    chance = np.random.default_rng(everyone)
    first_days = list(pd.date_range("2020-09-01", periods=months, freq="MS"))
    count = 4 * everyone + 3
    sessions = pd.DataFrame(
        {
            "person": np.arange(count) % max(everyone, 1),
            "month": chance.binomial(months - 1, 0.4, count),
            "kind": chance.choice(["therapist", "coach"], count, p=[0.3, 0.7]),
            "status": chance.choice(["completed", "no_show", "cancelled"], count, p=[0.8, 0.06, 0.14]),
            "bond": chance.choice([np.nan, 3, 4, 5], count, p=[0.55, 0.05, 0.1, 0.3]),
            "goals": chance.choice([np.nan, 5], count, p=[0.02, 0.98]),
        }
    )
    held = sessions[sessions["status"] == "completed"]
    positive = people[people["baseline"] == "positive"].reset_index(drop=True)
    of_follow_up = (positive.index * 7) % months
    rows: list[tuple[object, str, str, int, float, int]] = []

    def add(i: int, kind: str, measure: str, above: float, below: float, number: int) -> None:
        rows.append((first_days[i], kind, measure, int(above), below, number))

    for kind in ("therapist", "coach", "all"):
        mine = sessions if kind == "all" else sessions[sessions["kind"] == kind]
        firsts = mine[mine["status"] == "completed"].groupby("person")["month"].min()
        for i in range(months):
            here = mine[mine["month"] == i]
            seen, came = here[here["status"] == "completed"], here[here["status"] != "cancelled"]
            rated = seen[seen["bond"].notna()]
            both = rated[rated["goals"].notna()]
            add(i, kind, "sessions", len(seen), np.nan, seen["person"].nunique())
            add(i, kind, "new_participants", (firsts == i).sum(), np.nan, (firsts == i).sum())
            add(i, kind, "no_show_rate", len(came) - len(seen), len(came), came["person"].nunique())
            add(i, kind, "cancellation_rate", len(here) - len(came), len(here), here["person"].nunique())
            add(i, kind, "response_rate", len(rated), len(seen), seen["person"].nunique())
            answers = rated["bond"].sum() + rated["goals"].sum()
            add(i, kind, "alliance_mean", answers, len(rated) + len(both), rated["person"].nunique())
            add(i, kind, "top_box_rate", (both["bond"] == 5).sum(), len(both), both["person"].nunique())
            if kind == "all":
                of_month = positive[of_follow_up == i]
                n = len(of_month)
                change = of_month["followup_score"] - of_month["baseline_score"]
                add(i, kind, "mean_change", change.sum(), n, n)
                add(i, kind, "recovery_rate", (of_month["followup"] == "negative").sum(), n, n)
                add(i, kind, "improvement_rate", (of_month["improved"] == "yes").sum(), n, n)
    assert len(held) == sum(row[3] for row in rows if row[1:3] == ("all", "sessions"))
    frame = pd.DataFrame(
        rows, columns=["month", "provider_type", "measure", "numerator", "denominator", "people_at_least"]
    )
    is_count = frame["denominator"].isna()
    shares = frame["numerator"] / frame["denominator"].where(frame["denominator"] > 0)
    frame.insert(5, "value", shares.mask(is_count, frame["numerator"]))
    return frame


UNIT = 720_720_000_000
"""In so many parts of a point the warehouse sums alliance scores."""


def scores_by_provider(ratings: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Each participant with each provider: rated sessions, answers and their sum."""
    items = ["bond_item", "goals_item"]
    rated = ratings.dropna(subset=items, how="all").merge(sessions, on=["participant_id", "session"], how="left")
    rated = rated.assign(answers=rated[items].sum(axis=1), answered=rated[items].notna().sum(axis=1))
    return rated.groupby(["provider_type", "provider_id", "participant_id"], dropna=False).agg(
        sessions=("session", "nunique"), answers=("answers", "sum"), answered=("answered", "sum")
    )


def provider_sums(scores: pd.DataFrame) -> pd.DataFrame:
    """What the warehouse sums up in SQL, in pandas."""
    units = ((scores["answers"] * UNIT) / scores["answered"]).round().astype("int64").astype(object)
    found = (
        scores.assign(units=units, squares=units**2)
        .groupby(["provider_type", "provider_id"], dropna=False)
        .agg(
            rated_sessions=("sessions", "sum"),
            participants=("units", "size"),
            alliance=("units", "sum"),
            alliance_squares=("squares", "sum"),
        )
    )
    text = {name: found[name].map(str) for name in ("alliance", "alliance_squares")}
    return found.assign(unit=UNIT, **text).reset_index()


def given_by(participants: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Who gave each session: a few providers or many of each kind, of whom people stay with one or change; some unnamed."""
    chance = np.random.default_rng(seed)
    sessions = cohorts.sessions("any", participants)
    number = dict(zip(("therapist", "coach"), np.exp(chance.uniform(0, np.log(25), 2)).astype(int), strict=True))
    leaves = float(chance.choice([0.0, 0.01, 0.1, 0.4]))
    unnamed = float(chance.choice([0.0, 0.05]))
    weights = {kind: chance.dirichlet([1.5] * n) for kind, n in number.items()}
    providers: list[str | None] = []
    own: dict[tuple[str, str], str] = {}
    for person, kind in zip(sessions["participant_id"], sessions["provider_type"], strict=True):
        if (person, kind) not in own or chance.random() < leaves:
            own[person, kind] = f"{kind}-{chance.choice(number[kind], p=weights[kind])}"
        providers.append(None if chance.random() < unnamed else own[person, kind])
    return sessions.assign(provider_id=providers)


def marts_of(
    participants: pd.DataFrame,
    ratings: pd.DataFrame,
    excluded: tuple[int, ...] = EXCLUDED,
    left_out: Mapping[str, tuple[int, int, int]] | None = None,
    percentiles: bool = False,
    phq9: int | None = None,
    waiting: Iterable[int] = (0,) * 7,
    sessions: pd.DataFrame | None = None,
) -> tuple[People, Tables]:
    """The people of a cohort, and all tables that a release of them is made from.

    ``phq9``: a seed of a second instrument, whose tables are there as well. ``waiting``: of how many of those whom a
    criterion excluded a row is in quarantine. ``sessions``: who gave them; then the alliance by provider is there, too.
    """
    statistics = reduce(participants, ratings)
    people = people_of(analysis_cohort(participants, ratings))
    left_out = left_out or {}
    quarantined = left_out.get("participants", (0, 0, 0))[2]
    everyone = len(people) + sum(excluded)
    monthly = service_monthly(people, everyone)
    sensitivity = sensitivity_results(participants, ratings)
    people = with_reliable_change(people, sensitivity)
    people = people if phq9 is None else with_phq9(people, phq9)
    return people, {
        "eligibility_flow": flow(len(people), excluded, (quarantined, *waiting)),
        "table_1": table_1(people, percentiles),
        "inference_results": statistics.inference_results().reset_index(),
        "model_fit": statistics.model_fit().reset_index(),
        "exclusion_reasons": reasons(excluded),
        "alliance_distribution": distribution(people),
        "wellbeing_transitions": transitions(people),
        "alliance_slopes": statistics.slopes(),
        "source_summary": source_summary(everyone, left_out),
        "service_monthly": monthly,
        "service_signals": service_signals(monthly, int(PARAMETERS["spc_min_points"])),
        "sensitivity_results": sensitivity,
        "alliance_trajectory": trajectory(participants, ratings),
        **({} if phq9 is None else outcomes(people)),
        **({} if sessions is None else {"provider_alliance": provider_alliance_of(ratings, sessions)}),
    }


def provider_alliance_of(ratings: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """The mart of the alliance by provider."""
    return provider_alliance(provider_sums(scores_by_provider(with_session(ratings), sessions)))


def with_session(ratings: pd.DataFrame) -> pd.DataFrame:
    """Ratings that do not say of which session they are: of the first ones."""
    if "session" in ratings:
        return ratings
    return ratings.assign(session=ratings.groupby("participant_id").cumcount() + 1)


def marts_of_golden(name: str, **options: object) -> tuple[People, Tables]:
    """Those of a committed cohort."""
    return marts_of(*cohorts.read(name), **options)  # type: ignore[arg-type]


# --- A database of them

FLAGS = ("outside_limits", "shift", "trend", "near_limit")
INTEGERS = (
    *("numerator", "denominator", "people_at_least"),
    *("n", "participants", "excluded", "quarantined", "delivered", "erased", "superseded", "used"),
    *("ratings", "item_sum", "item_responses", "paired_ratings", "top_ratings", "rated_sessions"),
)
WORDS = (
    *("criterion", "variable", "level", "utilization_type", "statistic", "analysis", "term", "method", "terms", "note"),
    *("estimate_name", "statistic_name", "effect_size_name", "reason", "table_name"),
    *("population", "provider_type", "provider_id", "session_number", "measure", "instrument"),
)


def sql_type(table: str, column: str) -> str:
    if column in ("step", "position") or (table == "wellbeing_transitions" and column.endswith(("_from", "_to"))):
        return "integer"
    if column in INTEGERS:
        return "bigint"
    if table in ("inference_results", "sensitivity_results", "outcome_results") and column == "statistic":
        return "double"
    if column in WORDS or (table, column) == ("alliance_slopes", "level"):
        return "varchar"
    if column in FLAGS:
        return "boolean"
    return {"month": "date", "first_event_on": "date", "last_event_on": "date", "last_loaded_at": "timestamp"}.get(
        column, "double"
    )


def write_warehouse(
    path: Path,
    tables: Tables,
    *,
    build: str = "b-1",
    number: int = 7,
    status: str = "published",
    min_cell: int | None = 10,
    round_counts: int | None = 5,
    synthetic: bool = False,
    evaluated: int = 1000,
    study: Study = PUBLISHED,
) -> Path:
    """Write what a release reads: the published tables, the word on their build, and its verdicts.

    In a database that is there already the build follows the others in the history.
    """
    with duckdb.connect(str(path)) as connection:
        for schema in ("marts", "audit", "ops"):
            connection.execute(f"create schema if not exists {schema}")
        for name, frame in tables.items():
            columns = {column: sql_type(name, column) for column in frame.columns}
            connection.register(
                "frame", frame.astype({c: "object" for c, kind in columns.items() if kind == "varchar"})
            )
            cast = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in columns.items())
            connection.execute(f"create or replace table marts.{name} as select {cast} from frame")
            connection.unregister("frame")
        parameters = PARAMETERS | {"study": study.name}
        values = ", ".join(f"('{name}', '{value}', 'meaning of {name}')" for name, value in parameters.items())
        connection.execute(
            "create or replace table marts.build_parameters as"
            f" select * from (values {values}) as p (parameter, value, meaning)"
        )
        rules = {"min_cell": min_cell, "round_counts": round_counts}
        more = "".join(f", {value} as {name}" for name, value in rules.items() if value is not None)
        rows = " union all ".join(
            f"select '{build}' as build_id, '{name}' as table_name, (select count(*) from marts.{name}) as"
            f" published_rows, '/srv/own' as raw_folder, 'parquet' as raw_format, false as is_calibrated,"
            f" {synthetic} as is_synthetic{more}"
            for name in tables
        )
        connection.execute(f"create or replace table audit.publish as {rows}")
        connection.execute(
            "create or replace table audit.validation_results as select * from (values"
            f" ('{build}', 'raw', 'participants', 'sex is known', 'warning', false, {evaluated}, 7,"
            " timestamp '2026-01-02'),"
            f" ('{build}', 'candidates', 'eligibility', 'key is unique', 'critical', true, {evaluated}, 0,"
            " timestamp '2026-01-03'))"
            " as v (build_id, layer, table_name, rule, severity, passed, evaluated, unexpected, validated_at)"
        )
        connection.execute(
            "create table if not exists ops.builds (build_number bigint, build_id varchar, started_at timestamp,"
            " ended_at timestamp, status varchar, published_at timestamp, input_fingerprint varchar,"
            " input_files map(varchar, bigint), gates map(varchar, varchar), versions varchar, git_revision varchar,"
            " study_definition varchar)"
        )
        connection.execute(
            "insert into ops.builds values (?, ?, timestamp '2026-01-02 03:04:00', timestamp '2026-01-02 03:04:06', ?,"
            " timestamp '2026-01-02 03:04:05' + to_days(cast(? as integer)), 'f00', map {'participants': 2},"
            " map {'raw': 'open'}, 'rapport 0.1.0', 'abc', ?)",
            [number, build, status, number - 7, json.dumps(study.definition)],
        )
        connection.execute(
            "create table if not exists ops.findings_history as select cast(null as varchar) as build_id,"
            " cast(null as bigint) as build_number, cast(null as timestamp) as published_at, *"
            " from marts.inference_results limit 0"
        )
        connection.execute(
            "insert into ops.findings_history by name select ? as build_id, ? as build_number, * from"
            " marts.inference_results",
            [build, number],
        )
    return path
