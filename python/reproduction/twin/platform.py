"""Rows of the raw export: the cohort's histories, the people around it, and the export's own wrinkles.

Every participant is written by one function, :meth:`Platform.history`, from a :class:`Plan` that says what
the definitions must find: utilization, sessions, days, scores, ratings, and what goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from . import targets as T
from .cohort import Cohort
from .wellbeing import split_items

Row = dict[str, Any]

DAY_MINUTES = 1440  # all times are kept in minutes since the window's start
EPOCH = datetime(T.STUDY_START.year, T.STUDY_START.month, T.STUDY_START.day)
EARLIEST_DAY = (T.EARLIEST_ASSESSMENT - T.STUDY_START).days
EXPORT_DAY = 470  # loads end in January 2022

# How many participants fail each criterion first; 5,985 - 3,087 fail only the last.
EXCLUDED = {
    "adult": 61,
    "sponsored": 418,
    "registered": 903,
    "session": 2764,
    "baseline": 397,
    "followup": 1880,
    "rating": T.COMPLETED_CARE - T.COHORT,
}
# Countries outside the USA: share, and UTC hours of a working day there.
COUNTRIES: tuple[tuple[str, float, int, int], ...] = (
    ("CA", 0.17, 13, 22),
    ("GB", 0.20, 8, 18),
    ("IE", 0.06, 8, 18),
    ("DE", 0.08, 7, 17),
    ("FR", 0.05, 7, 17),
    ("NL", 0.04, 7, 17),
    ("ES", 0.03, 7, 17),
    ("PL", 0.03, 7, 17),
    ("IN", 0.11, 4, 14),
    ("SG", 0.04, 1, 11),
    ("AU", 0.06, 0, 9),
    ("JP", 0.03, 0, 10),
    ("BR", 0.05, 11, 21),
    ("MX", 0.04, 14, 22),
    ("AR", 0.01, 11, 21),
)
HOME_HOURS = (14, 22)  # USA, all zones together


@dataclass
class Plan:
    """What the definitions must find about one participant."""

    group: int
    sex: int
    country: int
    age: int
    sessions: int
    time: int
    follow_days: int
    baseline: int
    followup: int
    answers: list[list[int]]  # one [bond, goals] per rated session, 0 = skipped
    fails: str | None = None
    baseline_day: int = 0
    first_day: int = 0
    last_day: int = 0
    followup_day: int = 0


@dataclass
class Platform:
    """Collects the rows of the four tables."""

    rng: np.random.Generator
    participants: list[Row] = field(default_factory=list)
    assessments: list[Row] = field(default_factory=list)
    sessions: list[Row] = field(default_factory=list)
    ratings: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Hire the providers."""
        self._used: set[str] = set()
        self.therapists = [self._id("prv") for _ in range(168)]
        self.coaches = [self._id("prv") for _ in range(121)]

    # --- small draws ---------------------------------------------------------------------------

    def _id(self, prefix: str) -> str:
        while True:
            name = f"{prefix}_{int(self.rng.integers(0, 2**40)):010x}"
            if name not in self._used:
                self._used.add(name)
                return name

    def _chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def _int(self, low: int, high: int) -> int:
        """An integer in low..high."""
        return int(self.rng.integers(low, high + 1)) if high > low else low

    def _loaded(self, minute: int) -> int:
        """The nightly load after an event."""
        day = minute // DAY_MINUTES + 1
        return day * DAY_MINUTES + 190 + self._int(0, 25)

    def _weekday_weight(self, day: int) -> float:
        when = T.STUDY_START + timedelta(days=day)
        if (when.month, when.day) in ((12, 25), (1, 1), (12, 24), (12, 31), (7, 4)):
            return 0.05
        return (1.0, 1.05, 1.1, 1.0, 0.85, 0.09, 0.05)[when.weekday()]

    # --- rows ----------------------------------------------------------------------------------

    def _assessment(self, pid: str, minute: int, score: int | None, second: int | None = None) -> Row:
        """An assessment at a minute; score ``None`` leaves one or more items unanswered."""
        values: list[int | None]
        if score is None:
            values = list(split_items(4 * self._int(3, 20), self.rng))
            for k in self.rng.permutation(5)[: 1 + int(self._chance(0.35)) * self._int(1, 4)]:
                values[k] = None
        else:
            values = list(split_items(score, self.rng))
        row: Row = {"assessment_id": self._id("asm"), "participant_id": pid, "completed_at": minute}
        row |= {f"item_{k + 1}": v for k, v in enumerate(values)}
        row["second"] = self._int(0, 59) if second is None else second
        row["loaded_at"] = self._loaded(minute)
        self.assessments.append(row)
        return row

    def _session(self, pid: str, provider: str, kind: str, minute: int, status: str) -> Row:
        usual = 50 if kind == "therapist" else 30
        duration: int | None = usual
        if status != "completed":
            duration = None if self._chance(0.7) else usual
        elif self._chance(0.03):
            duration = None
        elif self._chance(0.25):
            duration = usual + self._int(-8, 10)
        row: Row = {
            "session_id": self._id("ses"),
            "participant_id": pid,
            "provider_id": provider,
            "provider_type": kind,
            "started_at": minute,
            "status": status,
            "duration_minutes": duration,
            "loaded_at": self._loaded(minute),
        }
        self.sessions.append(row)
        return row

    def _rating(self, session: Row, bond: int, goals: int) -> None:
        delay = 55 + self._int(0, 40) if self._chance(0.85) else self._int(100, 3 * DAY_MINUTES)
        minute = session["started_at"] + delay
        if self._chance(0.0004):
            minute = session["started_at"] - self._int(5, 600)  # odd: before its session
        self.ratings.append(
            {
                "rating_id": self._id("rat"),
                "session_id": session["session_id"],
                "submitted_at": minute,
                "second": self._int(0, 59),
                "bond_item": bond or None,
                "goals_item": goals or None,
                "loaded_at": self._loaded(minute),
            }
        )

    # --- days ----------------------------------------------------------------------------------

    def place(self, plan: Plan) -> None:
        """Choose the days of baseline, first and last session and follow-up."""
        gap = plan.follow_days - plan.time
        last = T.WINDOW_LAST_DAY
        usual = min(gap, int(self.rng.exponential(9.0)))
        before = usual if self._chance(0.72) else self._int(0, gap)
        before = max(before, gap - (last - plan.time))
        after = gap - before
        low = max(0, EARLIEST_DAY + before)
        days = np.arange(low, last - plan.time - after + 1)
        weights = np.array([self._weekday_weight(int(d)) * self._weekday_weight(int(d) + plan.time) for d in days])
        weights = weights * (1.0 + 0.6 * (days - days[0]) / max(1, last))  # the platform grows
        edges = np.cumsum(weights)
        plan.first_day = int(days[min(int(np.searchsorted(edges, self.rng.random() * edges[-1])), len(days) - 1)])
        plan.last_day = plan.first_day + plan.time
        plan.baseline_day = plan.first_day - before
        plan.followup_day = plan.last_day + after

    def _session_days(self, plan: Plan) -> list[int]:
        """Distinct days from first to last, about evenly spaced, mostly working days."""
        n, first, last = plan.sessions, plan.first_day, plan.last_day
        if n == 1:
            return [first]
        step = (last - first) / (n - 1)
        days = [first]
        for k in range(1, n - 1):
            low, high = days[-1] + 1, last - (n - 1 - k)
            day = min(max(round(first + k * step + self.rng.normal(0, 0.28 * step)), low), high)
            for shift in (0, *self.rng.permutation((1, -1, 2, -2, 3, -3)).tolist()):
                if low <= day + shift <= high and self._weekday_weight(day + shift) > 0.2:
                    day += shift
                    break
            days.append(day)
        days.append(last)
        return days

    # --- one participant ------------------------------------------------------------------------

    def history(self, plan: Plan) -> None:
        """All rows of one participant."""
        pid = self._id("par")
        code, open_hour, close_hour = self._country(plan.country)
        fails = plan.fails
        slot = self._int(open_hour * 4, close_hour * 4)
        minutes = [d * DAY_MINUTES + self._time(slot, open_hour, close_hour) for d in self._session_days(plan)]
        kinds = self._kinds(plan)
        own = {"therapist": self._pick(self.therapists), "coach": self._pick(self.coaches)}

        completed: list[Row] = []
        if fails not in ("session", "registered") or (fails == "registered" and self._chance(0.1)):
            for minute, kind in zip(minutes, kinds, strict=True):
                if self._chance(0.06):
                    own[kind] = self._pick(self.therapists if kind == "therapist" else self.coaches)
                completed.append(self._session(pid, own[kind], kind, minute, "completed"))
        self._other_sessions(pid, plan, own, minutes, kinds)
        self._rate(plan, completed)
        earliest = self._assess(pid, plan, minutes)

        registered = min(earliest, minutes[0]) - self._int(3, 45)
        if self._chance(0.25):
            registered -= self._int(1, 60) * DAY_MINUTES
        if self._chance(0.002):
            registered += 4 * DAY_MINUTES  # odd: after the first assessment
        sponsored = self._chance(0.7) if fails == "adult" else fails != "sponsored"
        never = fails == "registered" or (fails in ("adult", "sponsored") and self._chance(0.2))
        age = plan.age
        if fails == "adult":
            age = self._int(13, 17)
        self.participants.append(
            {
                "participant_id": pid,
                "registered_at": None if never else registered,
                "second": self._int(0, 59),
                "age_years": age,
                "sex": ("female", "male", None)[plan.sex],
                "country_code": code,
                "employer_sponsored": sponsored,
                "loaded_at": self._loaded(registered),
            }
        )

    def _country(self, country: int) -> tuple[str | None, int, int]:
        if country == T.WITHIN_USA:
            return "US", *HOME_HOURS
        if country == T.COUNTRY_UNKNOWN:
            return None, *HOME_HOURS
        u = float(self.rng.random())
        for code, share, low, high in COUNTRIES:
            u -= share
            if u <= 0:
                return code, low, high
        code, _, low, high = COUNTRIES[-1]
        return code, low, high

    def _pick(self, providers: list[str]) -> str:
        """A provider; some see many more participants than others."""
        return providers[int(len(providers) * float(self.rng.random()) ** 1.6)]

    def _time(self, slot: int, low: int, high: int) -> int:
        """Minute of the day: near the participant's usual quarter of an hour."""
        quarter = slot if self._chance(0.55) else self._int(low * 4, high * 4)
        return max(quarter * 15, 30)

    def _kinds(self, plan: Plan) -> list[str]:
        n = plan.sessions
        if plan.group == T.TELETHERAPY:
            return ["therapist"] * n
        if plan.group == T.TELECOACHING:
            return ["coach"] * n
        therapy = min(n - 1, max(1, int(self.rng.binomial(n, float(self.rng.beta(2, 2))))))
        if self._chance(0.6):  # one after the other
            order = ["therapist"] * therapy + ["coach"] * (n - therapy)
            return order if self._chance(0.4) else order[::-1]
        return [("therapist", "coach")[int(k >= therapy)] for k in self.rng.permutation(n)]

    def _other_sessions(self, pid: str, plan: Plan, own: dict[str, str], minutes: list[int], kinds: list[str]) -> None:
        """Cancelled and missed ones, and completed ones outside the window: none of them counts."""
        none_inside = plan.fails == "session"
        mishaps = int(self.rng.poisson(0.22 * plan.sessions)) if not none_inside else int(self._chance(0.25))
        for _ in range(mishaps):
            k = self._int(0, len(minutes) - 1)
            minute = minutes[k] + self._int(-12, 12) * DAY_MINUTES + 15 * self._int(-4, 4)
            status = "cancelled" if self._chance(0.72) else "no_show"
            row = self._session(pid, own[kinds[k]], kinds[k], minute, status)
            if self._chance(0.01):
                self._rating(row, self._int(1, 5), self._int(1, 5))  # of a session that did not take place
        if self._chance(0.11 if none_inside else 0.05):
            kind = "therapist" if self._chance(0.4) else "coach"
            if self._chance(0.12):
                # On the last minutes before the window opens, or the first after it closes.
                minute = (
                    -self._int(1, 30) if self._chance(0.5) else (T.WINDOW_LAST_DAY + 1) * DAY_MINUTES + self._int(0, 30)
                )
            elif self._chance(0.5):
                minute = -self._int(1, 120) * DAY_MINUTES + self._int(14 * 60, 22 * 60)
            else:
                minute = (T.WINDOW_LAST_DAY + self._int(1, 60)) * DAY_MINUTES + self._int(14 * 60, 22 * 60)
            row = self._session(pid, own[kind], kind, minute, "completed")
            if self._chance(0.5):
                self._rating(row, self._int(2, 5), self._int(2, 5))

    def _rate(self, plan: Plan, completed: list[Row]) -> None:
        """Ratings of sessions in the window; forms sent in empty for some of the others."""
        if not completed:
            return
        chosen = set(self.rng.permutation(len(completed))[: len(plan.answers)].tolist())
        answers = iter(plan.answers)
        for k, session in enumerate(completed):
            if k in chosen:
                self._rating(session, *next(answers))
            elif self._chance(0.06):
                self._rating(session, 0, 0)

    def _assess(self, pid: str, plan: Plan, minutes: list[int]) -> int:
        """WHO-5 assessments; returns the minute of the earliest one (or of the first session)."""
        fails = plan.fails
        first, last = minutes[0], minutes[-1]
        start = plan.baseline_day * DAY_MINUTES
        if plan.baseline_day == plan.first_day:
            base = start + self._int(1, first - start - 6)
        else:
            base = start + self._int(7 * 60, 23 * 60)
        day = plan.followup_day * DAY_MINUTES
        follow = (
            self._int(last + 61, day + DAY_MINUTES - 2)
            if plan.followup_day == plan.last_day
            else day + self._int(420, 1380)
        )
        early = base

        if fails == "registered" and self._chance(0.6):
            return min(base, first)
        if fails == "session" and self._chance(0.3):
            return min(base, first)

        if fails != "baseline":
            row = self._assessment(pid, base, plan.baseline)
            if self._chance(0.002):
                self._tie(row)
            if self._chance(0.18):
                early = base - self._int(1, 160) * DAY_MINUTES - self._int(0, 400)
                self._assessment(pid, early, 4 * self._int(2, 22))
            if self._chance(0.03):
                self._assessment(pid, self._int(base + 1, first - 1), None)
        else:
            how = self._int(0, 2)
            if how == 0:
                self._assessment(pid, base, None)  # a skipped item
            elif how == 1:
                self._assessment(pid, first, plan.baseline, 0)  # at the first session's start: not before it
        if fails == "session" and self._chance(0.7):
            return min(early, first)

        between = last - first
        if between > 25 * DAY_MINUTES and self._chance(0.4):
            for _ in range(self._int(1, 1 + between // (120 * DAY_MINUTES))):
                self._assessment(pid, first + self._int(1, between - 1), 4 * self._int(4, 23))
        if self._chance(0.004):
            self._assessment(pid, last, 4 * self._int(4, 23), 0)  # at the last session's start: not after it

        if fails == "followup":
            how = self._int(0, 9)
            if how == 0:
                self._assessment(pid, follow, None)
            elif how == 1:
                self._assessment(
                    pid, (T.WINDOW_LAST_DAY + self._int(1, 80)) * DAY_MINUTES + self._int(0, 1439), plan.followup
                )
            elif how == 2:
                # Sooner than a week after the baseline.
                limit = (plan.baseline_day + T.MIN_FOLLOWUP_DAYS) * DAY_MINUTES - 1
                if last + 1 <= limit:
                    self._assessment(pid, self._int(last + 1, limit), plan.followup)
            return min(early, first)

        row = self._assessment(pid, follow, plan.followup)
        if self._chance(0.002):
            self._tie(row)
        if follow - last > 20 * DAY_MINUTES and self._chance(0.3):
            self._assessment(pid, self._int(last + 1, follow - 1), 4 * self._int(4, 23))
        end = (T.WINDOW_LAST_DAY + 1) * DAY_MINUTES
        if self._chance(0.03) and follow < end - 2:
            self._assessment(pid, self._int(follow + 1, end - 1), None)
        if self._chance(0.07):
            self._assessment(pid, end + self._int(0, 75 * DAY_MINUTES), 4 * self._int(4, 24))
        return min(early, first)

    def _tie(self, row: Row) -> None:
        """Another assessment at the same moment, with a larger id: the smallest id counts."""
        twin = self._assessment(row["participant_id"], row["completed_at"], 4 * self._int(2, 24), row["second"])
        if twin["assessment_id"] < row["assessment_id"]:
            twin["assessment_id"], row["assessment_id"] = row["assessment_id"], twin["assessment_id"]

    # --- superseded versions ---------------------------------------------------------------------

    def supersede(self) -> None:
        """Give some rows an older version with other (valid) values: only the latest load counts."""
        for rows, share in (
            (self.participants, 0.05),
            (self.assessments, 0.015),
            (self.sessions, 0.04),
            (self.ratings, 0.015),
        ):
            older: list[Row] = []
            for row in rows:
                if not self._chance(share):
                    continue
                old = dict(row)
                row["loaded_at"] = min(
                    old["loaded_at"] + self._int(1, 45) * DAY_MINUTES, EXPORT_DAY * DAY_MINUTES + 200
                )
                if row["loaded_at"] <= old["loaded_at"]:
                    row["loaded_at"] = old["loaded_at"] + DAY_MINUTES
                self._change(old)
                older.append(old)
            rows.extend(older)

    def _change(self, row: Row) -> None:
        if "age_years" in row:
            what = self._int(0, 3)
            if what == 0:
                row["registered_at"] = None
            elif what == 1:
                row["sex"] = None if row["sex"] else "female"
            elif what == 2:
                row["employer_sponsored"] = not row["employer_sponsored"]
            else:
                row["country_code"] = None if row["country_code"] else "US"
        elif "item_1" in row:
            k = f"item_{self._int(1, 5)}"
            row[k] = None if row[k] is not None else 2
        elif "status" in row:
            if self._chance(0.6) and row["status"] == "completed":
                row["status"] = "no_show"
            else:
                row["started_at"] += 15 * self._int(1, 8)
        else:
            row["bond_item"], row["goals_item"] = self._int(1, 5), None


# --- everybody --------------------------------------------------------------------------------------


def cohort_plans(cohort: Cohort) -> list[Plan]:
    """The plans of the eligible cohort."""
    p = cohort.people
    return [
        Plan(
            group=int(p.group[i]),
            sex=int(p.sex[i]),
            country=int(cohort.country[i]),
            age=int(p.age[i]),
            sessions=int(p.sessions[i]),
            time=int(p.time[i]),
            follow_days=int(p.follow_days[i]),
            baseline=int(p.baseline[i]),
            followup=int(p.followup[i]),
            answers=cohort.answers[i],
        )
        for i in range(len(p.group))
    ]


def other_plans(plans: list[Plan], rng: np.random.Generator) -> list[Plan]:
    """Participants who fail one criterion: pieces of cohort members, put together anew."""
    others = []
    pools = [[p for p in plans if p.group == g] for g in range(3)]
    for fails, count in EXCLUDED.items():
        for _ in range(count):
            # Those without a rating used less care.
            group = int(rng.choice(3, p=(0.2, 0.7, 0.1)))
            pool = pools[group]
            care, person, scores = (pool[int(k)] for k in rng.integers(0, len(pool), 3))
            if fails == "rating" and care.sessions > 4 and rng.random() < 0.5:
                care = pool[int(rng.integers(0, len(pool)))]
            n, time = care.sessions, care.time
            follow_days = max(care.follow_days + int(rng.integers(-5, 12)), time + 1, 7)
            if follow_days > 700:
                follow_days = care.follow_days
            answers = care.answers if fails != "rating" else []
            if fails == "rating" or rng.random() < 0.4:
                answers = []
            others.append(
                Plan(
                    group=group,
                    sex=person.sex,
                    country=person.country,
                    age=min(max(person.age + int(rng.integers(-2, 3)), 18), 79),
                    sessions=n,
                    time=time,
                    follow_days=follow_days,
                    baseline=scores.baseline,
                    followup=scores.followup,
                    answers=answers,
                    fails=fails,
                )
            )
    return others


def build_platform(cohort: Cohort, rng: np.random.Generator) -> Platform:
    """All rows of the export, in random order of participants."""
    platform = Platform(rng)
    plans = cohort_plans(cohort)
    everybody = plans + other_plans(plans, rng)
    for k in rng.permutation(len(everybody)).tolist():
        platform.place(everybody[k])
        platform.history(everybody[k])
    platform.supersede()
    return platform
