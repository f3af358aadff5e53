"""Signals in words and as alerts, and the page's section of the service."""

from __future__ import annotations

import json
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction
from html import unescape
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from released import marts_of_golden, write_warehouse

from rapport import refresh
from rapport.release.make import make_release
from rapport.report.page import build_page
from rapport.report.published import Published, read_release
from rapport.service import service_signals
from rapport.signals import alerts, events, in_words, last_complete_month, signals_of_release

Row = dict[str, object]


def series(values: list[int | None], measure: str = "alliance_mean", start: str = "2020-09-01") -> list[Row]:
    """Rows of one series of ``service_signals``, as a release gives them."""
    frame = pd.DataFrame(
        {
            "month": pd.date_range(start, periods=len(values), freq="MS"),
            "provider_type": "all",
            "measure": measure,
            "numerator": 0,
            "denominator": None,
        }
    )
    found = service_signals(frame, 12, [None if value is None else Fraction(value) for value in values])
    return [
        {name: None if value != value else value for name, value in row.items()} | {"month": row["month"].date()}
        for row in found.to_dict("records")
    ]


def said(rows: list[Row]) -> list[str]:
    return [" ".join(in_words(event)) for event in events(rows)]


def test_seven_months_above_the_mean_since_march() -> None:
    # The mean is 44/13, and its limits are 6.87 away.
    assert said(series([4, 0, 4, 0, 4, 0, 5, 4, 5, 4, 5, 4, 5])) == ["seven months above the mean since 2021-03"]
    # Ended, it has a last month; a month without a value is skipped.
    assert said(series([4, 0, 4, 0, 5, 4, None, 5, 4, 5, 4, 5, 0, 1])) == [
        "seven months above the mean from 2021-01 to 2021-08",
    ]


def test_trends_and_limits_in_words() -> None:
    """The limits are those of the test of XmR charts: 11 is above 11/12 + 2.66."""
    assert said(series([0] * 11 + [11])) == [
        "above the upper limit in 2021-08",
        "eleven months below the mean from 2020-09 to 2021-07",
    ]
    falling = said(series([5, 5, 5, 5, 5, 9, 8, 7, 6, 5, 4, 3]))
    assert "seven months falling since 2021-02" in falling
    # A value ends one trend and begins another.
    both = said(series([0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0, 0]))
    assert "seven months rising from 2020-09 to 2021-03" in both
    assert "seven months falling from 2021-03 to 2021-09" in both
    near = said(series([1, -1] * 8 + [7, 0, 7, 0]))
    assert near == ["near the upper limit in 2022-01", "near the upper limit in 2022-03"]
    assert said(series([3, 1, 2])) == []
    assert "24 months" not in str(said(series([2, 1] * 12)))


def test_the_last_complete_month_ended_before_the_export_was_loaded() -> None:
    rows = series([1, 2, 3, 4])
    assert last_complete_month(rows, datetime(2020, 12, 31, 23)) == date(2020, 11, 1)
    assert last_complete_month(rows, datetime(2021, 1, 1, 3)) == date(2020, 12, 1)
    assert last_complete_month(rows, datetime(2020, 9, 30)) is None


def test_a_signal_is_new_in_its_first_month() -> None:
    rows = series([4, 0, 4, 0, 4, 0, 5, 4, 5, 4, 5, 4, 5, 4, 5])
    # Seven months above the mean are a signal in the seventh of them, and no longer a new one in the eighth.
    assert alerts(rows, date(2021, 8, 1)) == []
    [seventh] = alerts(rows, date(2021, 9, 1))
    assert seventh.is_new
    assert (seventh.signal, seventh.direction, seventh.since, seventh.months) == ("shift", "above", "2021-03", 7)
    assert seventh.words == "Alliance, mean answer (all): seven months above the mean since 2021-03"
    [eighth] = alerts(rows, date(2021, 10, 1))
    assert (eighth.is_new, eighth.months) == (False, 8)
    outside = series([0] * 11 + [11])
    [alert] = alerts(outside, date(2021, 8, 1))
    assert (alert.signal, alert.is_new, alert.value) == ("outside_limits", True, 11.0)
    assert alert.upper_limit == pytest.approx(11 / 12 + 2.66)


def test_two_of_three_near_a_limit_are_new_with_the_second_of_them() -> None:
    """The first of the two is flagged by the second: in its own month nothing is known of it yet."""
    around = [50, 52] * 6
    adjacent = series([*around, 56, 56])
    assert alerts(adjacent, date(2021, 9, 1)) == []
    [second] = alerts(adjacent, date(2021, 10, 1))
    assert (second.signal, second.is_new, second.since, second.months) == ("near_limit", True, "2021-09", 2)
    [third] = alerts(series([*around, 56, 56, 56]), date(2021, 11, 1))
    assert (third.signal, third.is_new, third.months) == ("near_limit", False, 3)
    [apart] = alerts(series([*around, 57, 51, 57]), date(2021, 11, 1))
    assert (apart.signal, apart.is_new, apart.months) == ("near_limit", True, 1)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of invented people."""
    folder = tmp_path_factory.mktemp("release")
    _, tables = marts_of_golden("small", excluded=(0, 120, 0, 0, 0, 0, 0))
    # Sessions were loaded in October 2021: October is not complete.
    make_release(write_warehouse(folder / "w.duckdb", tables, synthetic=True), folder / "out")
    return folder / "out"


def test_signals_of_a_release_as_text_and_as_json(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "reports" / "signals.json"
    found = signals_of_release(release, place)
    rows = read_release_rows(release)
    assert found.month == "2021-09"
    expected = {
        (row["provider_type"], row["measure"], signal)
        for row in rows
        if row["month"] == date(2021, 9, 1)
        for signal in ("outside_limits", "near_limit")
        if row[signal] and (signal == "outside_limits" or not row["outside_limits"])
    }
    assert {
        (a.provider_type, a.measure, a.signal) for a in found.signals if a.signal.endswith(("limits", "limit"))
    } == expected
    assert expected, "the invented service has signals in September"
    assert [a.is_new for a in found.signals] == sorted((a.is_new for a in found.signals), reverse=True)
    assert found.is_changed
    text = found.in_words()
    assert text[0] == f"  signals of 2021-09: {sum(a.is_new for a in found.signals)} new, {len(found.signals)} in all"
    assert text[1:] == [f"    {a.words}" for a in found.signals if a.is_new]

    outcome = refresh.Outcome("2026", 0, None, True, 7, 1, 2, [], [], {}, {"publish": 1.0}, None, found)
    refresh.write_summary(outcome, tmp_path / "reports" / "refresh.json", place)
    written = json.loads(place.read_text())
    assert written["month"] == "2021-09"
    assert written["build_id"] == "b-1"
    assert written["signals"][0]["words"] == found.signals[0].words
    assert "signals" not in json.loads((tmp_path / "reports" / "refresh.json").read_text())
    assert refresh.in_words(outcome, [])[-len(text) :] == text
    # The same once more is no news; other signals are.
    assert not signals_of_release(release, place).is_changed
    place.write_text(json.dumps(written | {"month": "2021-08"}))
    assert signals_of_release(release, place).is_changed
    # Without a complete month it says so, and a refresh that failed tells of none.
    assert replace(found, month=None).in_words() == ["  signals: no month of the service is complete"]
    monkeypatch.chdir(tmp_path)
    assert refresh._signals(refresh.Places()) is None
    assert "no signals can be told" in capsys.readouterr().err


def read_release_rows(folder: Path) -> list[Row]:
    frame = pd.read_parquet(folder / "service_signals.parquet")
    return [dict(row) for row in frame.assign(month=pd.to_datetime(frame["month"]).dt.date).to_dict("records")]  # type: ignore[misc]


def section(page: str) -> str:
    found = re.search(r'<section id="service".*?</section>', page, re.DOTALL)
    assert found is not None
    return found[0]


def as_text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.fixture(scope="module")
def data(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    tables = read_release(release).tables
    manifest = read_release(release).manifest
    return Published(tables, manifest)


def test_the_page_draws_every_series_and_names_its_signals(data: Published) -> None:
    shown = section(build_page(data))
    assert shown.count("<svg") == 24, "seven measures of three provider types, and three outcomes"
    rows = list(data.tables["service_signals"])
    for kind, measure, name in (
        ("coach", "sessions", "Completed sessions"),
        ("all", "mean_change", "Mean change of WHO-5"),
    ):
        mine = [row for row in rows if (row["provider_type"], row["measure"]) == (kind, measure)]
        words = [re.sub(r"\s+", " ", one) for one in said(mine)]  # type: ignore[arg-type]
        found = re.search(rf'id="months-{measure.replace("_", "-")}-{kind}-words">(.*?)</p>', shown, re.DOTALL)
        assert found is not None
        text = as_text(found[1]).rstrip(".").rstrip().replace(" ;", ";")
        if not words:
            assert text == ("No signal" if mine[0]["mean"] is not None else "Too few months for limits")
        else:
            assert text.lower().split("; ") == [one.lower() for one in words]
        assert f">{name}</h3>" in shown
        chart = re.search(
            rf'aria-describedby="months-{measure.replace("_", "-")}-{kind}-words">(<svg.*?</svg>)', shown, re.DOTALL
        )
        assert chart is not None
        with_value = [row for row in mine if row["value"] is not None]
        shapes = re.findall(r'class="(?:signal|ring|value)"', chart[1])
        assert len(shapes) == len(with_value)
        marked = [row for row in with_value if any(row[f] for f in ("outside_limits", "shift", "trend", "near_limit"))]
        assert len(re.findall(r'class="(?:signal|ring)"', chart[1])) == len(marked)
        assert chart[1].count("<line") == (3 if mine[0]["mean"] is not None else 0)
    about = as_text(shown).replace(" .", ".")
    assert "From 2020-09 to 2021-10. The last month that is complete is 2021-09." in about


def test_a_service_without_months_has_no_section(data: Published) -> None:
    empty = Published({**data.tables, "service_monthly": [], "service_signals": []}, data.manifest)
    assert '<section id="service"' not in build_page(empty)


def test_signals_are_sent_by_mail_and_to_slack(tmp_path: Path) -> None:
    """The script of the guide against a mail server and a web hook of our own, in Python's library alone."""
    path = tmp_path / "signals.json"
    words = [
        "Response rate (therapists): above the upper limit in 2021-11",
        "Recovery (all): seven months rising since 2021-05",
    ]
    told = {
        "month": "2021-11",
        "build_id": "b",
        "is_changed": True,
        "signals": [
            {"words": words[0], "is_new": True},
            {"words": "old", "is_new": False},
            {"words": words[1], "is_new": True},
        ],
    }
    with listening() as (mails, posts, environment):

        def send(content: dict[str, object]) -> None:
            path.write_text(json.dumps(content))
            script = ROOT / "examples" / "scheduling" / "alerts" / "send_signals.py"
            subprocess.run([sys.executable, "-I", str(script), str(path)], env=environment, check=True, timeout=60)

        send(told)
        [mail] = mails
        assert "Subject: Rapport: 2 new signals of 2021-11" in mail
        assert all(one in mail for one in words)
        assert "old" not in mail
        [post] = posts
        assert json.loads(post) == {"text": f"*Rapport: 2 new signals of 2021-11*\n• {words[0]}\n• {words[1]}"}
        send(told | {"is_changed": False})
        send(told | {"signals": [{"words": "old", "is_new": False}]})
        assert (len(mails), len(posts)) == (1, 1)


@contextmanager
def listening() -> Iterator[tuple[list[str], list[str], dict[str, str]]]:
    """A mail server and a web hook: what they get, and the environment that names them."""
    mails: list[str] = []
    posts: list[str] = []

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().strip():
                if line.upper() == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    content = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        content += part
                    mails.append(content.decode())
                self.wfile.write(b"221 bye\r\n" if line.upper() == b"QUIT" else b"250 good\r\n")
                if line.upper() == b"QUIT":
                    return

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with socketserver.TCPServer(("127.0.0.1", 0), Mail) as mail, HTTPServer(("127.0.0.1", 0), Hook) as hook:
        for server in (mail, hook):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        yield (
            mails,
            posts,
            {
                "RAPPORT_MAILTO": "team@example.org",
                "RAPPORT_SMTP": f"127.0.0.1:{mail.server_address[1]}",
                "RAPPORT_SLACK_HOOK": f"http://127.0.0.1:{hook.server_address[1]}/hook",
            },
        )
        for server in (mail, hook):
            server.shutdown()
