"""Each rule on the marts of summaries holds for right tables, and is broken by a table that is wrong in that way."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from conftest import MARTS, ROOT

from rapport.audit import load_suites
from rapport.audit.suites import Suite, judge
from rapport.studies import load_study
from rapport.studies.parameters import parameters

PARAMETERS = parameters(load_study(ROOT, "sagui_henson_2022"))

TABLES = {
    "analysis_cohort": """
        select 'P' || i as participant_id, ['teletherapy', 'telecoaching', 'both'][1 + i % 3] as utilization_type,
            [1.0, 2.9, 3.0, 3.49, 3.5, 4.25, 4.5, 4.99, 5.0][1 + i % 9]::double as alliance_score,
            1 as rated_sessions, 4 * (i % 26) as baseline_score, 4 * ((i * 7) % 26) as followup_score, i < 13 as screened_positive
        from range(60) as t(i)""",
    "eligibility": """
        select 'P' || i as participant_id, i < 60 as is_eligible,
            case when i >= 80 then 'session' when i >= 60 then 'adult' end as first_failed_criterion
        from range(100) as t(i)""",
    "eligibility_flow": """
        from (values (0, 'all', 100, 0), (1, 'adult', 80, 20), (2, 'sponsored', 80, 0), (3, 'registered', 80, 0),
            (4, 'session', 60, 20), (5, 'baseline', 60, 0), (6, 'followup', 60, 0), (7, 'rating', 60, 0))
            as t(step, criterion, participants, excluded)""",
    "alliance_distribution": """
        with scores as (
            select utilization_type,
                case when alliance_score < 3 then 1 else floor(2 * alliance_score) / 2 end as score_from
            from candidates.analysis_cohort
        )
        select utilization_type, score_from::double as score_from,
            (case when score_from = 1 then 3 else least(score_from + 0.5, 5) end)::double as score_to,
            count(*) as participants,
            100.0 * count(*) / sum(count(*)) over (partition by utilization_type) as percent
        from scores group by utilization_type, score_from""",
    "wellbeing_transitions": """
        with bands as (
            select least(greatest(ceil((baseline_score - 28) / 16.0)::integer, 0), 3) as b,
                least(greatest(ceil((followup_score - 28) / 16.0)::integer, 0), 3) as f
            from candidates.analysis_cohort
        )
        select [0, 29, 45, 61][b + 1] as baseline_from, [28, 44, 60, 100][b + 1] as baseline_to,
            [0, 29, 45, 61][f + 1] as followup_from, [28, 44, 60, 100][f + 1] as followup_to,
            count(*) as participants, 100.0 * count(*) / sum(count(*)) over (partition by b) as percent
        from bands group by b, f""",
    "exclusion_reasons": """
        from (values ('adult', 'too young', 15), ('adult', 'no age', 5), ('session', 'no session', 20))
            as t(criterion, reason, participants)""",
    "source_summary": """
        select name as table_name, used + 6 as delivered, 1 as erased, 2 as superseded, 3 as quarantined, used,
            date '2020-10-01' as first_event_on, date '2021-10-01' as last_event_on,
            timestamp '2021-11-01' as last_loaded_at
        from (values ('participants', 100), ('who5_assessments', 300), ('sessions', 503), ('alliance_ratings', 400))
            as t(name, used)""",
    "build_parameters": """
        select parameter, value, 'what it means' as meaning
        from (values ('study', 'one'), ('study_start', '2020-09-29'), ('study_end', '2021-10-12'), ('adult_age', '18'),
            ('min_sessions', '1'), ('min_followup_days', '7'), ('who5_points_per_item', '4'), ('who5_cutoff', '28'),
            ('improvement_points', '10'), ('home_country', 'US'), ('on_bad_rows', 'stop'),
            ('max_quarantined_share', '0.01'), ('max_shrinkage', '0.1'), ('max_share_jump', '0.05'),
            ('freshness_warn_hours', '48'), ('spc_min_points', '12'), ('is_calibrated', 'false'), ('is_synthetic', 'true'))
            as t(parameter, value)""",
    # Fourteen months; nobody is seen in March. The source has as many sessions as the months, and the cohort as many
    # positive screens as outcomes.
    "service_monthly": """
        with months as (
            select (date '2020-01-01' + to_months(i))::date as month, i, i <> 2 as is_open from range(14) as t(i)
        ), counts as (
            select month, i, kind, is_open::integer * (10 + i + (kind = 'coach')::integer) as held, is_open::integer as one
            from months cross join (values ('therapist'), ('coach')) as t(kind)
        ), kinds as (
            select month, kind, held, one from counts
            union all select month, 'all', sum(held), sum(one) from counts group by month
        ), measured as (
            select month, kind, 'sessions' as measure, held as numerator, null as denominator from kinds
            union all select month, kind, 'new_participants', one, null from kinds
            union all select month, kind, 'no_show_rate', one, held + one from kinds
            union all select month, kind, 'cancellation_rate', one, held + 2 * one from kinds
            union all select month, kind, 'response_rate', 2 * one, held from kinds
            union all select month, kind, 'alliance_mean', 4 * one, one from kinds
            union all select month, kind, 'top_box_rate', 0, one from kinds
            union all select month, 'all', unnest(['mean_change', 'recovery_rate', 'improvement_rate']),
                is_open::integer, is_open::integer from months
        )
        select month, kind as provider_type, measure, numerator::bigint as numerator, denominator::bigint as denominator,
            case when denominator is null then numerator::double when denominator > 0
            then numerator::bigint / denominator::double end as value,
            (coalesce(denominator, numerator) > 0)::bigint as people_at_least
        from measured""",
    # Limits so wide that no value is beyond them.
    "service_signals": """
        with series as (
            select *, count(value) over of_series >= 12 as is_long, avg(value) over of_series as average,
                max(abs(value)) over of_series + 1 as reach
            from candidates.service_monthly window of_series as (partition by provider_type, measure)
        )
        select month, provider_type, measure, value, case when is_long then average end as mean,
            case when is_long then average - reach end as lower_limit,
            case when is_long then average + reach end as upper_limit,
            false as outside_limits, false as shift, false as trend, false as near_limit
        from series""",
    # Three therapists and sessions of none; the rated sessions of the cohort are theirs.
    "provider_alliance": """
        with given as (
            from (values ('a', 16, 4.0), ('b', 16, 5.0), ('c', 18, 4.5), (null, 10, 3.0)) as t(provider_id, n, mean)
        )
        select 'therapist' as provider_type, provider_id, n as rated_sessions, n as participants,
            mean::double as alliance_mean,
            case when provider_id is not null then 4.5 + (mean - 4.5) / 2 end::double as shrunken_mean,
            4.5::double as type_mean, case when provider_id is not null then 0.05 end::double as icc,
            case when provider_id is not null then 1.0 end::double as sd_within,
            case when provider_id is not null then 4.5 - 1.959963984540054 / sqrt(n) end as lower_95,
            case when provider_id is not null then 4.5 + 1.959963984540054 / sqrt(n) end as upper_95,
            case when provider_id is not null then 4.5 - 3.090232306167813 / sqrt(n) end as lower_998,
            case when provider_id is not null then 4.5 + 3.090232306167813 / sqrt(n) end as upper_998,
            case when provider_id is null then 'none is named' end as note
        from given""",
}
JUDGED = (
    "alliance_distribution",
    "wellbeing_transitions",
    "exclusion_reasons",
    "source_summary",
    "build_parameters",
    "service_monthly",
    "service_signals",
    "provider_alliance",
)
NOT_CRITICAL = {"follow-ups are not after the last month": "info"}
FIRST = "rowid = (select min(rowid) from {table})"
SPOILS = {
    # Rules of one kind, for whichever column they name.
    "is not null": "update {table} set {column} = null where " + FIRST,
    "is unique": "update {table} set {column} = (select max({column}) from {table})",
    "is not negative": "update {table} set {column} = -1 where " + FIRST,
    "is at least 1": "update {table} set {column} = 0 where " + FIRST,
    "is 0 to 100": "update {table} set {column} = 101 where " + FIRST,
}
OF_APRIL = "measure = '{measure}' and provider_type = 'all' and month = date '2020-04-01'"
MONTHS = {
    "has a row count": "drop table {table}",
    "provider_type is therapist or coach or all": "update {table} set provider_type = 'doctor' where " + FIRST,
    "measure is one of the ten": "update {table} set measure = 'wait' where " + FIRST,
    "month, provider type and measure are unique together": "insert into {table} from {table} limit 1",
}
SPOIL: dict[str, dict[str, str]] = {
    "service_monthly": {
        **MONTHS,
        "a month begins on its first day": "update {table} set month = month + 1 where " + FIRST,
        "no month is left out": "delete from {table} where month = date '2020-03-01'",
        "every month has its 24 rows": "delete from {table} where " + FIRST,
        "outcomes are of all provider types": (
            "update {table} set provider_type = 'coach' where measure = 'recovery_rate' and month = date '2020-01-01'"
        ),
        "counts have no denominator and rates have one": "update {table} set denominator = 9 where measure = 'sessions'",
        "value is numerator by denominator, and of a count the numerator": (
            "update {table} set value = value + 1e-9 where measure = 'response_rate' and month = date '2020-04-01'"
        ),
        "no count is negative": "update {table} set numerator = -1 where " + OF_APRIL.format(measure="top_box_rate"),
        "a rate is 0 to 1, alliance 1 to 5, change -100 to 100": (
            "update {table} set numerator = 6 * denominator where " + OF_APRIL.format(measure="alliance_mean")
        ),
        "people are not more than what they did": (
            "update {table} set people_at_least = 99 where " + OF_APRIL.format(measure="mean_change")
        ),
        "therapists and coaches add up to all": (
            "update {table} set numerator = 3 where " + OF_APRIL.format(measure="response_rate")
        ),
        "whoever is new is new to somebody": (
            "update {table} set numerator = 9 where " + OF_APRIL.format(measure="new_participants")
        ),
        "completed sessions are the same in every measure": (
            "update {table} set denominator = denominator + 1 where measure = 'response_rate' and provider_type <> 'therapist'"
        ),
        "the months count every session in use": (
            "update candidates.source_summary set used = 5 where table_name = 'sessions'"
        ),
        "outcomes count no more people than screened positive": "delete from candidates.analysis_cohort",
        "follow-ups are not after the last month": "update candidates.analysis_cohort set screened_positive = true",
    },
    "service_signals": {
        **MONTHS,
        "every month of service_monthly is here with its value, and no other": (
            "delete from candidates.service_monthly where " + OF_APRIL.format(measure="sessions")
        ),
        "a series has one mean and one pair of limits, or none": (
            "update {table} set upper_limit = upper_limit + 1 where " + OF_APRIL.format(measure="sessions")
        ),
        "a series has limits from the set number of values on": (
            "update candidates.build_parameters set value = '14' where parameter = 'spc_min_points'"
        ),
        "the mean is that of the values and lies midway between the limits": (
            "update {table} set lower_limit = lower_limit - 1 where measure = 'sessions' and provider_type = 'all'"
        ),
        "a month without a value has no signal": "update {table} set trend = true where value is null",
        "without a mean only a trend is a signal": "update {table} set mean = null, near_limit = true",
        "a value clearly beyond a limit is marked, and one clearly within is not": (
            "update {table} set outside_limits = true where " + OF_APRIL.format(measure="sessions")
        ),
        "shifts, trends and values near a limit are several": (
            "update {table} set shift = true where " + OF_APRIL.format(measure="sessions")
        ),
    },
    "provider_alliance": {
        "has a row count": "drop table {table}",
        "provider_type is therapist or coach": "update {table} set provider_type = 'doctor' where provider_id = 'a'",
        "provider type and provider are unique together": "update {table} set provider_id = 'a' where provider_id = 'b'",
        "participants have at least one rated session each": (
            "update {table} set rated_sessions = 15 where provider_id = 'a'"
        ),
        "providers and sessions that name none have all rated sessions of the cohort": (
            "delete from {table} where provider_id is null"
        ),
        **{
            f"{name} is 1 to 5": f"update {{table}} set {name} = 5.1 where provider_id = 'b'"
            for name in ("alliance_mean", "shrunken_mean", "type_mean")
        },
        "icc is 0 to 1": "update {table} set icc = -0.1 where provider_id = 'a'",
        "sd_within is not negative": "update {table} set sd_within = -1 where provider_id = 'a'",
        "the providers of a type have one mean, one ICC and one deviation, or none": (
            "update {table} set icc = null where provider_id = 'a'"
        ),
        "the mean of a type is that of its participants with a named provider": "update {table} set type_mean = 4.49",
        "sessions that name no provider have no shrunken mean and no limits": (
            "update {table} set icc = 0.1 where provider_id is null"
        ),
        "a row without a shrunken mean says why": "update {table} set shrunken_mean = null",
        "shrunken mean and limits are there with the ICC": "update {table} set upper_998 = null where provider_id = 'a'",
        "the shrunken mean lies between the provider's and that of the type": (
            "update {table} set shrunken_mean = 3.9 where provider_id = 'a'"
        ),
        "limits lie about the mean of the type, 1.96 and 3.09 standard errors away": (
            "update {table} set lower_95 = lower_95 - 1e-6 where provider_id = 'c'"
        ),
    },
    "alliance_distribution": {
        "has a row count": "drop table {table}",
        "utilization_type is teletherapy or telecoaching or both": "update {table} set utilization_type = 'total'",
        "score_from is 1 or a half point from 3 to 5": "update {table} set score_from = 2 where score_from = 1",
        "utilization_type and score_from are unique": "insert into {table} from {table} limit 1",
        "low scores share a class, the top score has one, and the others are half a point wide": (
            "update {table} set score_to = 4 where score_from = 3"
        ),
        "each class counts the participants of the cohort with such a score": (
            "update {table} set participants = case score_from when 3 then participants - 1 else participants + 1 end"
            " where utilization_type = 'both' and score_from in (3, 3.5)"
        ),
        "the classes count every participant of the cohort": "delete from {table} where utilization_type = 'both'",
        "percent is the share of the utilization type": "update {table} set percent = percent + 1e-6",
    },
    "wellbeing_transitions": {
        "has a row count": "drop table {table}",
        "baseline and follow-up band are unique together": "insert into {table} from {table} limit 1",
        "a band ends where the next one begins": "update {table} set baseline_to = 48 where baseline_to = 44",
        "the lowest band ends at the cut-off of the screen": (
            "update candidates.build_parameters set value = '50' where parameter = 'who5_cutoff'"
        ),
        "each pair of bands counts the participants of the cohort in both": (
            "update {table} set participants = participants + 1 where baseline_from = 0 and followup_from = 29"
        ),
        "the pairs of bands count every participant of the cohort": "delete from {table} where baseline_from = 61",
        "percent is the share of the baseline band": "update {table} set percent = percent - 1e-6",
    },
    "exclusion_reasons": {
        "has a row count": "drop table {table}",
        "criterion is one of the seven": "update {table} set criterion = 'age' where criterion = 'adult'",
        "criterion and reason are unique": "update {table} set reason = 'too young'",
        "the reasons of a criterion add up to what it excluded": (
            "update {table} set criterion = 'baseline' where reason = 'no age'"
        ),
        "the reasons count everyone who is not eligible": "delete from {table} where criterion = 'session'",
    },
    "source_summary": {
        "has a row for each raw table": "delete from {table} where table_name = 'sessions'",
        "is not empty": "delete from {table}",
        "table_name is a raw table": "update {table} set table_name = 'erasures' where table_name = 'sessions'",
        "delivered is erased, superseded, quarantined and used together": "update {table} set superseded = 1",
        "the participants used are those of the first step": (
            "update {table} set used = 99, delivered = 105 where table_name = 'participants'"
        ),
        "a table in use says when it was last delivered": "update {table} set last_loaded_at = null",
        "the first event is not after the last": "update {table} set first_event_on = date '2021-10-02'",
        "first and last event are known together": "update {table} set first_event_on = null",
    },
    "build_parameters": {
        "is not empty": "delete from {table}",
        "every parameter of the contract has its row": "delete from {table} where parameter = 'home_country'",
        "value and meaning are not empty": "update {table} set meaning = ' ' where parameter = 'adult_age'",
        "the study ends after it begins": "update {table} set value = '2020-09-29' where parameter = 'study_end'",
        "the cut-off is a WHO-5 score": "update {table} set value = 'low' where parameter = 'who5_cutoff'",
        "shares are 0 to 1": "update {table} set value = '10' where parameter = 'max_shrinkage'",
        "a yes or no is true or false": "update {table} set value = 'yes' where parameter = 'is_synthetic'",
    },
}


def suites() -> dict[str, Suite]:
    found = [
        suite
        for layer in ("candidates", "findings", "providers")
        for suite in load_suites(ROOT / "expectations" / layer, PARAMETERS)
    ]
    return {suite.label: suite for suite in found}


@pytest.fixture
def marts() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create schema candidates")
        for name, query in TABLES.items():
            connection.execute(f"create table candidates.{name} as {query}")
        yield connection


def test_right_tables_keep_every_rule(marts: duckdb.DuckDBPyConnection) -> None:
    loaded = suites()
    verdicts = judge(marts, [loaded[label] for label in JUDGED])
    assert [verdict for verdict in verdicts if not verdict.passed] == []
    assert len(verdicts) == sum(len(loaded[label].expectations.expectations) for label in JUDGED)


def test_tables_of_an_empty_cohort_keep_every_rule(marts: duckdb.DuckDBPyConnection) -> None:
    marts.execute("delete from candidates.analysis_cohort; delete from candidates.alliance_distribution")
    marts.execute("delete from candidates.wellbeing_transitions")
    loaded = suites()
    verdicts = judge(marts, [loaded["alliance_distribution"], loaded["wellbeing_transitions"]])
    assert [verdict for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parametrize("label", JUDGED)
def test_each_rule_is_broken_by_a_table_that_is_wrong_in_its_way(marts: duckdb.DuckDBPyConnection, label: str) -> None:
    suite = suites()[label]
    table = f"candidates.{label}"
    for expectation in suite.expectations.expectations:
        rule = str(expectation.meta["rule"])
        column, _, kind = rule.partition(" ")
        spoil = SPOIL[label].get(rule) or SPOILS[kind and rule.removeprefix(f"{column} ")]
        for name, query in TABLES.items():
            marts.execute(f"create or replace table candidates.{name} as {query}")
        marts.execute(spoil.format(table=table, column=column))
        [verdict] = [found for found in judge(marts, [suite]) if found.rule == rule]
        assert (verdict.passed, verdict.severity) == (False, NOT_CRITICAL.get(rule, "critical")), rule
        if "drop table" not in spoil:
            assert verdict.detail is None, (rule, verdict.detail)
            assert verdict.unexpected or rule in ("is not empty", "has a row count"), rule


def test_every_mart_has_a_suite_that_judges_its_candidate() -> None:
    judged = {suite.table for suite in suites().values() if suite.schema == "candidates"}
    assert set(MARTS) <= judged
