"""The demo export: its contract, its mess, and that the same arguments give the same export."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from rapport.demo import export, write_demo_export
from rapport.demo.__main__ import main

COLUMNS = {
    "participants": {
        "participant_id": "VARCHAR",
        "registered_at": "TIMESTAMP",
        "age_years": "INTEGER",
        "sex": "VARCHAR",
        "country_code": "VARCHAR",
        "employer_sponsored": "BOOLEAN",
        "loaded_at": "TIMESTAMP",
    },
    "who5_assessments": {
        "assessment_id": "VARCHAR",
        "participant_id": "VARCHAR",
        "completed_at": "TIMESTAMP",
        "item_1": "INTEGER",
        "item_2": "INTEGER",
        "item_3": "INTEGER",
        "item_4": "INTEGER",
        "item_5": "INTEGER",
        "loaded_at": "TIMESTAMP",
    },
    "sessions": {
        "session_id": "VARCHAR",
        "participant_id": "VARCHAR",
        "provider_id": "VARCHAR",
        "provider_type": "VARCHAR",
        "started_at": "TIMESTAMP",
        "status": "VARCHAR",
        "duration_minutes": "INTEGER",
        "loaded_at": "TIMESTAMP",
    },
    "alliance_ratings": {
        "rating_id": "VARCHAR",
        "session_id": "VARCHAR",
        "submitted_at": "TIMESTAMP",
        "bond_item": "INTEGER",
        "goals_item": "INTEGER",
        "loaded_at": "TIMESTAMP",
    },
}
KEYS = {table: next(iter(columns)) for table, columns in COLUMNS.items()}

# Faulty rows by rule of section 4 of the contract, over every version of a row.
RULES = {
    f"{table}: two different rows share a key and a loaded_at": f"""
        select {key} from (select distinct * exclude (filename) from raw_{table})
        group by {key}, loaded_at having count(*) > 1"""
    for table, key in KEYS.items()
} | {
    "participants: nulls": """
        from raw_participants
        where participant_id is null or age_years is null or employer_sponsored is null
            or loaded_at is null""",
    "participants: values": """
        from raw_participants
        where sex not in ('female', 'male') or age_years not between 0 and 120
            or not regexp_full_match(country_code, '[A-Z]{2}')""",
    "who5_assessments: nulls": """
        from raw_who5_assessments
        where assessment_id is null or participant_id is null or completed_at is null
            or loaded_at is null""",
    "who5_assessments: values": """
        from raw_who5_assessments
        where item_1 not between 0 and 5 or item_2 not between 0 and 5
            or item_3 not between 0 and 5 or item_4 not between 0 and 5
            or item_5 not between 0 and 5""",
    "who5_assessments: participant exists": """
        from raw_who5_assessments anti join raw_participants using (participant_id)""",
    "sessions: nulls": """
        from raw_sessions
        where session_id is null or participant_id is null or provider_id is null
            or provider_type is null or started_at is null or status is null
            or loaded_at is null""",
    "sessions: values": """
        from raw_sessions
        where provider_type not in ('therapist', 'coach')
            or status not in ('completed', 'cancelled', 'no_show')""",
    "sessions: participant exists": """
        from raw_sessions anti join raw_participants using (participant_id)""",
    "alliance_ratings: nulls": """
        from raw_alliance_ratings
        where rating_id is null or session_id is null or submitted_at is null
            or loaded_at is null""",
    "alliance_ratings: values": """
        from raw_alliance_ratings
        where bond_item not between 1 and 5 or goals_item not between 1 and 5""",
    "alliance_ratings: session exists": """
        from raw_alliance_ratings anti join raw_sessions using (session_id)""",
    "loaded before the event": """
        select loaded_at from raw_participants where loaded_at <= registered_at
        union all select loaded_at from raw_who5_assessments where loaded_at <= completed_at
        union all select loaded_at from raw_sessions where loaded_at <= started_at
        union all select loaded_at from raw_alliance_ratings where loaded_at <= submitted_at""",
}

MESS = (
    {
        "scored or not, several assessments of a person": """
        select participant_id from who5_assessments group by all having count(*) > 3""",
        "assessment between sessions": """
        select s.participant_id
        from who5_assessments as a join window_span as s using (participant_id)
        where a.completed_at > s.first_at and a.completed_at < s.last_at""",
        "assessment at the second of the first session": """
        select s.participant_id
        from who5_assessments as a join window_span as s using (participant_id)
        where a.completed_at = s.first_at""",
        "two assessments in the same second, other answers": """
        from who5_assessments as a join who5_assessments as b using (participant_id, completed_at)
        where a.assessment_id < b.assessment_id and a.item_2 <> b.item_2""",
        "assessment before registration": """
        from who5_assessments join participants using (participant_id)
        where completed_at < registered_at""",
        "follow-up after the window": """
        from who5_assessments where completed_at::date > date '2021-10-12'""",
        "one item skipped": "from who5_assessments where item_3 is null and item_4 is not null",
        "all items skipped": """
        from who5_assessments
        where coalesce(item_1, item_2, item_3, item_4, item_5) is null""",
        "cancelled": "from sessions where status = 'cancelled'",
        "no-show": "from sessions where status = 'no_show'",
        "completed before the window": """
        from sessions where status = 'completed' and started_at < timestamp '2020-09-29'""",
        "completed after the window": """
        from sessions where status = 'completed' and started_at >= timestamp '2021-10-13'""",
        "first second of the window": "from sessions where started_at = timestamp '2020-09-29'",
        "last second of the window": """
        from sessions where started_at = timestamp '2021-10-12 23:59:59'""",
        "null duration of a held session": """
        from sessions where duration_minutes is null and status = 'completed'""",
        "session without a rating": """
        from sessions anti join alliance_ratings using (session_id) where status = 'completed'""",
        "bond skipped": "from alliance_ratings where bond_item is null and goals_item is not null",
        "goals skipped": "from alliance_ratings where goals_item is null and bond_item is not null",
        "empty rating": "from alliance_ratings where coalesce(bond_item, goals_item) is null",
        "rating of a session outside the window": """
        from alliance_ratings join sessions using (session_id)
        where status = 'completed'
            and started_at::date not between date '2020-09-29' and date '2021-10-12'""",
        "rating of a session not held": """
        from alliance_ratings join sessions using (session_id) where status <> 'completed'""",
        "rating before its session": """
        from alliance_ratings join sessions using (session_id) where submitted_at < started_at""",
        "two ratings of a session": """
        select session_id from alliance_ratings group by all having count(*) > 1""",
        "null country": "from participants where country_code is null",
        "Namibia": "from participants where country_code = 'NA'",
    }
    | {
        f"{name}: {table}": f"""
        from raw_{table} as a join raw_{table} as b using ({key})
        where a.loaded_at < b.loaded_at and a.filename {order} b.filename
            and columns_differ(a, b)"""
        for table, key in KEYS.items()
        for name, order in {"stale row first": "<", "stale row in the later file": ">"}.items()
    }
    | {
        f"sent twice: {table}": f"""
        select {key} from raw_{table}
        group by {key}, loaded_at having count(distinct filename) > 1"""
        for table, key in KEYS.items()
    }
)

LATEST_ROWS = ";".join(
    f"""
    create temp table {table} as
    select * exclude (filename) from raw_{table}
    qualify row_number() over (partition by {key} order by loaded_at desc) = 1"""
    for table, key in KEYS.items()
)

ELIGIBILITY = """
create temp table window_span as
select
    participant_id,
    min(started_at) as first_at,
    max(started_at) as last_at,
    count(distinct provider_type) as provider_types,
    any_value(provider_type) as provider_type
from sessions
where status = 'completed'
    and started_at::date between date '2020-09-29' and date '2021-10-12'
group by participant_id;

create temp table cohort as
with scored as (
    select
        participant_id,
        assessment_id,
        completed_at,
        4 * (item_1 + item_2 + item_3 + item_4 + item_5) as score
    from who5_assessments
    where item_1 + item_2 + item_3 + item_4 + item_5 is not null
),

baseline as (
    select s.*
    from scored as s join window_span as w using (participant_id)
    where s.completed_at < w.first_at
    qualify row_number() over (
        partition by participant_id order by completed_at desc, assessment_id
    ) = 1
),

followup as (
    select s.*
    from scored as s
    join window_span as w using (participant_id)
    join baseline as b using (participant_id)
    where s.completed_at > w.last_at
        and s.completed_at::date <= date '2021-10-12'
        and s.completed_at::date - b.completed_at::date >= 7
    qualify row_number() over (
        partition by participant_id order by s.completed_at desc, s.assessment_id
    ) = 1
),

rated as (
    select
        participant_id,
        sum(coalesce(bond_item, 0) + coalesce(goals_item, 0))
            / (count(bond_item) + count(goals_item)) as alliance_score
    from alliance_ratings
    join sessions using (session_id)
    where coalesce(bond_item, goals_item) is not null
        and status = 'completed'
        and started_at::date between date '2020-09-29' and date '2021-10-12'
    group by participant_id
)

select
    p.*,
    case
        when not coalesce(p.age_years >= 18, false) then 'adult'
        when not coalesce(p.employer_sponsored, false) then 'sponsored'
        when p.registered_at is null then 'registered'
        when w.first_at is null then 'session'
        when b.score is null then 'baseline'
        when f.score is null then 'followup'
        when r.alliance_score is null then 'rating'
        else 'none'
    end as first_failed,
    if(w.provider_types = 2, 'both', w.provider_type) as utilization,
    b.score as baseline_score,
    f.score - b.score as who5_change,
    r.alliance_score
from participants as p
left join window_span as w using (participant_id)
left join baseline as b using (participant_id)
left join followup as f using (participant_id)
left join rated as r using (participant_id)
"""


def open_export(folder: Path, format: str = "parquet") -> duckdb.DuckDBPyConnection:
    """Open the tables of an export as ``raw_…``, with the part file that each row is in."""
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    for table, columns in COLUMNS.items():
        files = f"{folder}/{table}/*.{format}"
        source = (
            f"read_parquet('{files}', filename = true)"
            if format == "parquet"
            else f"read_csv('{files}', filename = true, columns = {columns})"
        )
        connection.execute(f"create temp table raw_{table} as from {source}")
    connection.execute("create macro columns_differ(a, b) as a::varchar <> b::varchar")
    return connection


def broken_rules(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    counts = {rule: count(connection, query) for rule, query in RULES.items()}
    return {rule: rows for rule, rows in counts.items() if rows}


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    [(rows,)] = connection.execute(f"select count(*) from ({query})").fetchall()
    return int(rows)


def all_rows(folder: Path, format: str = "parquet") -> dict[str, list[tuple[object, ...]]]:
    with open_export(folder, format) as connection:
        return {
            table: connection.execute(f"select * exclude (filename) from raw_{table} order by all").fetchall()
            for table in COLUMNS
        }


def file_digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "export"
    write_demo_export(folder)
    return folder


@pytest.fixture(scope="module")
def demo(demo_folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_export(demo_folder) as connection:
        connection.execute(LATEST_ROWS)
        connection.execute(ELIGIBILITY)
        yield connection


@pytest.mark.parametrize("table", COLUMNS)
def test_every_part_file_has_the_contract_types(demo_folder: Path, table: str) -> None:
    files = sorted((demo_folder / table).iterdir())
    assert len(files) == 4
    for file in files:
        described = duckdb.execute(f"describe from read_parquet('{file}')").fetchall()
        assert {name: type_ for name, type_, *_ in described} == COLUMNS[table]


@pytest.mark.parametrize("rule", RULES)
def test_no_critical_rule_is_broken(demo: duckdb.DuckDBPyConnection, rule: str) -> None:
    assert count(demo, RULES[rule]) == 0


@pytest.mark.parametrize("mess", MESS)
def test_every_kind_of_mess_occurs(demo: duckdb.DuckDBPyConnection, mess: str) -> None:
    assert count(demo, MESS[mess]) > 0


def test_every_criterion_fails_for_some_and_a_useful_share_is_eligible(
    demo: duckdb.DuckDBPyConnection,
) -> None:
    counts = dict(demo.execute("select first_failed, count(*) from cohort group by all").fetchall())
    assert sum(counts.values()) == 3000
    assert set(counts) == {
        "adult",
        "sponsored",
        "registered",
        "session",
        "baseline",
        "followup",
        "rating",
        "none",
    }
    assert min(counts.values()) >= 30
    assert 0.25 <= counts["none"] / 3000 <= 0.55


def test_every_subgroup_of_the_analyses_has_people(demo: duckdb.DuckDBPyConnection) -> None:
    smallest = demo.execute("""
        select min(people)
        from (
            select count(*) as people
            from cohort
            where first_failed = 'none'
            group by utilization, baseline_score <= 28, coalesce(sex, 'missing')
        )
        having count(*) = 3 * 2 * 3
    """).fetchall()
    assert smallest
    assert smallest[0][0] >= 3


def test_distributions_resemble_the_published_study(demo: duckdb.DuckDBPyConnection) -> None:
    [figures] = demo.execute("""
        select
            avg(age_years),
            stddev(age_years),
            avg((sex is not distinct from 'female')::int),
            avg((sex is null)::int),
            avg((utilization = 'therapist')::int),
            avg((utilization = 'coach')::int),
            avg((alliance_score = 5)::int),
            avg(alliance_score),
            avg((baseline_score <= 28)::int),
            avg(who5_change) filter (baseline_score <= 28)
        from cohort
        where first_failed = 'none'
    """).fetchall()
    published = (35.5, 8.7, 0.54, 0.18, 0.18, 0.65, 0.45, 4.54, 0.27, 15.4)
    tolerance = (1.0, 1.0, 0.06, 0.05, 0.06, 0.06, 0.07, 0.1, 0.06, 4.0)
    for found, expected, within in zip(figures, published, tolerance, strict=True):
        assert found == pytest.approx(expected, abs=within)


def test_same_arguments_give_the_same_files(demo_folder: Path, tmp_path: Path) -> None:
    write_demo_export(tmp_path / "again")
    assert file_digests(tmp_path / "again") == file_digests(demo_folder)


def test_threads_do_not_change_a_byte(tmp_path: Path) -> None:
    rows = {
        threads: write_demo_export(tmp_path / str(threads), participants=40_000, seed=7, part_files=2, threads=threads)
        for threads in (1, 5)
    }
    assert rows[1]["sessions"] > 122_880, "one Parquet row group would prove little"
    assert file_digests(tmp_path / "1") == file_digests(tmp_path / "5")


def test_another_seed_gives_other_rows_in_every_table(tmp_path: Path) -> None:
    write_demo_export(tmp_path / "a", participants=5, seed=1, part_files=1)
    write_demo_export(tmp_path / "b", participants=5, seed=2, part_files=1)
    a, b = all_rows(tmp_path / "a"), all_rows(tmp_path / "b")
    assert all(a[table] != b[table] for table in COLUMNS)


def test_format_and_part_files_do_not_change_the_rows(tmp_path: Path) -> None:
    def rows_of(name: str, format: str, part_files: int) -> dict[str, list[tuple[object, ...]]]:
        folder = tmp_path / name
        write_demo_export(folder, participants=500, format=format, part_files=part_files)
        assert len(list((folder / "sessions").iterdir())) == part_files
        return all_rows(folder, format)

    expected = rows_of("parquet", "parquet", 4)
    assert rows_of("csv", "csv", 4) == expected
    assert rows_of("single", "parquet", 1) == expected
    assert rows_of("many", "parquet", 6) == expected


def test_csv_has_a_header_row_in_contract_order(tmp_path: Path) -> None:
    write_demo_export(tmp_path / "csv", participants=2, format="csv")
    for table, columns in COLUMNS.items():
        for file in (tmp_path / "csv" / table).iterdir():
            header = file.read_text(encoding="utf-8").splitlines()[0]
            assert header == ",".join(columns)


@pytest.mark.parametrize(("participants", "seed"), [(1, 1), (1, -5), (2, 2**63 - 1), (50, 0)])
def test_small_exports_have_no_empty_table_and_break_no_rule(tmp_path: Path, participants: int, seed: int) -> None:
    folder = tmp_path / "small"
    rows = write_demo_export(folder, participants=participants, seed=seed)
    with open_export(folder) as connection:
        assert broken_rules(connection) == {}
        for table in COLUMNS:
            assert rows[table] == count(connection, f"from raw_{table}") > 0
        people = count(connection, "select distinct participant_id from raw_participants")
        assert people == participants
        for file in folder.rglob("*.parquet"):
            assert count(connection, f"from '{file}'") > 0


def test_data_card_and_files_say_that_the_data_are_synthetic(demo_folder: Path) -> None:
    card = (demo_folder / "README.md").read_text(encoding="utf-8")
    assert "synthetic" in card.splitlines()[0].lower()
    assert "| seed | 1 |" in card
    assert "| participants asked for | 3000 |" in card
    assert "| rapport | " in card
    with open_export(demo_folder) as connection:
        for table in COLUMNS:
            assert f"| {table} | {count(connection, f'from raw_{table}')} |" in card
    for file in demo_folder.rglob("*.parquet"):
        [(note,)] = duckdb.execute(
            f"select value::varchar from parquet_kv_metadata('{file}') where key::varchar = 'note'"
        ).fetchall()
        assert note.startswith("Synthetic data")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"participants": 0}, "participants must be from 1"),
        ({"participants": 10**9}, "participants must be from 1 to 999999999"),
        ({"format": "xlsx"}, "format must be one of parquet, csv, not 'xlsx'"),
        ({"part_files": 0}, "part_files must be from 1"),
        ({"seed": 2**63}, "seed must fit in 64 bits"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_invalid_arguments_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_demo_export(tmp_path / "out", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="already holds files"):
        write_demo_export(tmp_path, participants=1)
    with pytest.raises(FileExistsError, match="is a file"):
        write_demo_export(tmp_path / "notes.txt", participants=1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failure_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> int:
        raise OSError("no space left")

    monkeypatch.setattr(export, "_copy", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_demo_export(tmp_path, participants=1)
    assert list(tmp_path.iterdir()) == []


def test_command_line_writes_to_an_empty_folder_with_a_quote_in_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    arguments = ["--participants", "20", "--seed", "3", "--out", str(folder), "--format", "csv"]
    assert main([*arguments, "--part-files", "2"]) == 0
    assert "Synthetic export in" in capsys.readouterr().out
    assert (folder / "participants" / "part-00000.csv").is_file()

    assert main(arguments) == 2
    assert "already holds files" in capsys.readouterr().err


def test_command_line_names_an_invalid_argument(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--participants", "0", "--out", str(tmp_path / "out")]) == 2
    assert "participants must be from 1" in capsys.readouterr().err
