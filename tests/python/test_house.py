"""What is shipped, and what the pages for contributors promise."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from setuptools import find_packages

from rapport import refresh

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_reproduction_of_the_study_is_not_shipped() -> None:
    """Twin and consistency serve the published study: who analyses an export of their own installs none of it."""
    found = PROJECT["tool"]["setuptools"]["packages"]["find"]
    shipped = find_packages(where=str(ROOT / found["where"][0]), include=found["include"])
    assert "rapport" in shipped
    assert "rapport.report" in shipped
    assert "dbt_rapport" in shipped, "dbt finds it by its name, and without it no var is checked"
    assert not [name for name in shipped if not f"{name}.".startswith(("rapport.", "dbt_rapport."))]
    for file in (ROOT / "python" / "rapport").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            assert not [name for name in names if name.split(".")[0] == "reproduction"], file


def commands_of(target: str) -> list[list[str]]:
    """The commands of a target of the Makefile, split into words."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return [shlex.split(line.replace("$(BIN)", ".venv/bin")) for line in found[1].splitlines()]


def test_the_hooks_are_the_linters_that_ci_runs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    [repository] = config["repos"]
    assert repository["repo"] == "local"
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    assert all(hook["language"] == "system" for hook in hooks.values())
    entries = {identity: shlex.split(hook["entry"]) for identity, hook in hooks.items()}
    assert commands_of("lint")[0][-2:] == ["lint-python", "lint-sql"]
    assert {tuple(words[:2]) for part in ("lint-python", "lint-sql") for words in commands_of(part)} == {
        *(tuple(entries[identity][:2]) for identity in ("ruff-check", "ruff-format")),
        (".venv/bin/mypy",),
        tuple(entries["sqlfluff"][2:4]),
    }
    assert entries["sqlfluff"][:2] == ["env", "DBT_PROFILES_DIR=."]
    assert "--check" in entries["ruff-format"], "a hook changes nothing, it says what is wrong"
    linted = re.compile(hooks["sqlfluff"]["files"])
    assert [bool(linted.search(path)) for path in ("models/a/b.sql", "tests/data/a.sql", "macros/a.sql")] == [1, 1, 0]


def test_ci_runs_every_test_but_the_long_ones() -> None:
    """`make test` and `make test-builds` share them out: what the one leaves, the other runs. Spark has targets of its own."""
    options = shlex.split(PROJECT["tool"]["pytest"]["ini_options"]["addopts"])
    assert options[options.index("-m") + 1] == "not long and not builds"
    assert "--strict-markers" in options, "a misspelt marker would move nothing"
    [test], [builds] = commands_of("test"), commands_of("test-builds")
    assert test == [".venv/bin/pytest", "-n", "2", "--dist", "worksteal"]
    assert builds == [*test, "-m", "builds and not long"]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert ci.index("make test") < ci.index("make test-builds")


def test_a_night_builds_without_unit_tests_and_a_change_is_built_with_them() -> None:
    assert commands_of("publish")[0][3:] == ["build", "--exclude-resource-type", "unit_test", "$(WITH_VARS)"]
    [publish] = [step for step in refresh.steps_of(refresh.OF_THE_PROJECT) if step.name == "publish"]
    assert publish.command[-3:] == ("build", "--exclude-resource-type", "unit_test")
    assert commands_of("build")[0] == [".venv/bin/dbt", "build", "$(WITH_VARS)"]
    assert "make build" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_released_contract_has_its_chapter_in_the_changelog() -> None:
    chapters = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert chapters[0] == "Unreleased"
    released = {
        path.name.removeprefix("marts-").removesuffix(".odcs.yaml")
        for path in (ROOT / "contracts" / "released").glob("marts-*.odcs.yaml")
    }
    ordered = sorted(released, key=numbers, reverse=True)
    assert chapters[1:] == ordered
    # A version that is raised but not released yet has its lines under Unreleased.
    assert numbers(PROJECT["project"]["version"]) >= numbers(ordered[0])


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def guide_commands() -> Iterator[list[str]]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def test_the_guides_commands_name_what_is_there() -> None:
    commands = list(guide_commands())
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    models = {path.stem for path in (ROOT / "models").rglob("*.sql")}
    seen = set()
    for words in commands:
        seen.add(words[0])
        if words[0] == "make":
            assert words[1] in targets
        if words[0] in ("pytest", "python"):
            assert (ROOT / words[1]).is_file(), words
        if words[0] == "pytest" and "-k" in words and "golden" not in words[1]:
            assert f"def {words[words.index('-k') + 1]}(" in (ROOT / words[1]).read_text(encoding="utf-8")
        if "--select" in words:
            assert words[words.index("--select") + 1].strip("+") in models
    assert seen >= {"make", "pytest", "python", "dbt"}
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)`", text):
        assert target in targets
    for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]+(?:\.[a-z]+)?)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
def test_the_files_of_the_project_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    folders = "models|macros|expectations|python|seeds|tests|benchmarks|examples|contracts"
    for path in re.findall(rf"`((?:{folders})/[\w/-]+\.(?:sql|py|yml|yaml|json|csv|md|sh))`", text):
        assert (ROOT / path).exists(), path


def test_a_target_runs_every_long_test() -> None:
    """A test that no target names runs nowhere."""
    run = set(re.findall(r"tests/python/(test_\w+\.py)", (ROOT / "Makefile").read_text(encoding="utf-8")))
    long = {
        path.name for path in (ROOT / "tests/python").glob("test_*.py") if "mark.long" in path.read_text("utf-8")
    } - {Path(__file__).name}
    assert long - {path for path in long if path.startswith("test_spark_")} <= run


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_a_readers_commands_run_without_an_activated_environment(page: str) -> None:
    """`make build` activates nothing: where a page does not say how, a program is called by its path."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if "bin:$PATH" in text or "bin/activate" in text:
        return
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            command = re.sub(r"^(\w+=\S+ +)+", "", line)
            assert not re.match(r"(python3?|dbt|pip|pytest) ", command), line


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_the_pages_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
        assert target.startswith("https://") or (ROOT / Path(target)).exists(), target
