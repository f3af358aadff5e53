"""Command line of the contracts: ``python -m rapport.contracts {generate,check,diff,release,copy-marts}``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from rapport.audit.verdict import broken_rule
from rapport.contracts.changes import compare, parse_version, release_advice
from rapport.contracts.check import FORMATS, CheckError, Finding, check_export
from rapport.contracts.odcs import contract_yaml, marts_contract, raw_contract
from rapport.contracts.project import ContractError, Document, read_project
from rapport.contracts.storage import copy_marts
from rapport.contracts.text import aligned
from rapport.messages import escape_lines

FOLDER = Path("contracts")
GOOD, BROKEN, IMPOSSIBLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command in the project's folder; the exit code is its verdict (0 good, 1 broken, 2 cannot be told)."""
    parser = argparse.ArgumentParser(prog="python -m rapport.contracts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("generate", help=f"write both contracts to {FOLDER}/ from the dbt YAML")
    check = commands.add_parser("check", help="judge a raw export without building")
    check.add_argument("--raw", type=Path, default=Path(os.environ.get("RAPPORT_RAW", "demo")), metavar="FOLDER")
    check.add_argument("--format", default=os.environ.get("RAPPORT_RAW_FORMAT", "parquet"), help=" or ".join(FORMATS))
    check.add_argument("--strict-freshness", action="store_true", help="a stale export is an error, not a warning")
    check.add_argument("--all", action="store_true", help="list the rules that hold, too")
    commands.add_parser("diff", help="compare the marts' contract with the last released one")
    commands.add_parser("release", help=f"keep the marts' contract of this version in {FOLDER}/released/")
    copy = commands.add_parser("copy-marts", help="copy schema marts to a file that older DuckDBs read")
    copy.add_argument("--out", type=Path, required=True, metavar="FILE", help="new")
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "generate":
                return _generate()
            case "check":
                return _check(options.raw, options.format, options.strict_freshness, options.all)
            case "diff":
                return _diff()
            case "copy-marts":
                database = Path(os.environ.get("RAPPORT_DB", "warehouse/rapport.duckdb"))
                print(f"{options.out}: {len(copy_marts(database, options.out))} tables of schema marts")
                return GOOD
            case _:
                return _release()
    except (ContractError, CheckError) as error:
        print(escape_lines(f"rapport.contracts: cannot {options.command}: {error}"), file=sys.stderr)
        return IMPOSSIBLE


def _generate() -> int:
    project = read_project(Path())
    FOLDER.mkdir(exist_ok=True)
    for name, contract in (("raw_export", raw_contract(project)), ("marts", marts_contract(project))):
        path = FOLDER / f"{name}.odcs.yaml"
        path.write_text(contract_yaml(contract), encoding="utf-8")
        print(f"{path}: {len(contract['schema'])} tables, version {contract['version']}")
    return GOOD


def _check(raw: Path, raw_format: str, strict_freshness: bool, every: bool) -> int:
    findings = check_export(raw, raw_format, strict_freshness=strict_freshness)
    broken = [finding for finding in findings if not finding.passed and finding.severity == "critical"]
    noted = [finding for finding in findings if not finding.passed and finding.severity != "critical"]
    if every:
        held = [(one.table, one.rule, one.severity) for one in findings if one.passed]
        print(f"Rules that hold\n\n{aligned(('table', 'rule', 'severity'), held)}\n")
    _print_findings("Warnings", noted)
    _print_findings("Broken critical rules", broken)
    judged = f"{raw} ({raw_format}): {len(findings)} rules judged, {len(broken)} critical broken, {len(noted)} warnings"
    print(
        f"{escape_lines(judged)}. {'The export breaks its contract.' if broken else 'The export keeps its contract.'}"
    )
    if broken and all(finding.layer == "files" for finding in findings):
        print("The rules on rows have not been judged: they are once all of this is mended.")
    elif broken and all(finding.layer for finding in findings):
        print("How old the export is has not been judged: it is once all of this is mended.")
    return BROKEN if broken else GOOD


def _print_findings(title: str, findings: list[Finding]) -> None:
    if not findings:
        return
    print(f"{title}\n")
    for finding in findings:
        told = broken_rule(finding.table, finding.rule, finding.failing, finding.keys, finding.detail)
        print(escape_lines(f"  {told}"))
    print()


def _diff() -> int:
    project = read_project(Path())
    path, released = _last_released()
    changes = compare(released, marts_contract(project))
    release = release_advice(changes, str(released["version"]), project.version)
    if changes:
        rows = [
            (change.element, change.kind, "breaking" if change.breaking else change.level, change.detail)
            for change in changes
        ]
        print(f"Since {path}\n\n{aligned(('element', 'change', 'class', 'detail'), rows)}\n")
    else:
        print(f"No change since {path}.")
        return GOOD
    place = "`version` in dbt_project.yml and pyproject.toml"
    breaking = sum(change.breaking for change in changes)
    if release.satisfied:
        print(f"{breaking} breaking changes; version {project.version} says so (needed: {release.lowest} or later).")
        return GOOD
    if breaking:
        print(
            f"{breaking} breaking changes need a {release.needed} bump: set {place} to {release.lowest}"
            f" (it is {project.version})."
        )
        return BROKEN
    print(f"No breaking change. With the next release set {place} to {release.lowest} ({release.needed} bump).")
    return GOOD


def _release() -> int:
    project = read_project(Path())
    text = contract_yaml(marts_contract(project))
    path = FOLDER / "released" / f"marts-{project.version}.odcs.yaml"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ContractError(f"{path} is released and differs; raise `version` in dbt_project.yml and pyproject.toml")
    if not path.exists() and any(path.parent.glob("marts-*.odcs.yaml")):
        last, released = _last_released()
        needed = release_advice(compare(released, marts_contract(project)), str(released["version"]), project.version)
        if not needed.satisfied:
            raise ContractError(f"the changes since {last} need version {needed.lowest}, this is {project.version}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"Released {path}")
    return GOOD


def _last_released() -> tuple[Path, Document]:
    """The released contract of the highest version."""
    folder = FOLDER / "released"
    versions = {
        parse_version(path.name.removeprefix("marts-").removesuffix(".odcs.yaml")): path
        for path in folder.glob("marts-*.odcs.yaml")
    }
    if not versions:
        raise ContractError(f"no released contract (marts-VERSION.odcs.yaml) in {folder}")
    path = versions[max(versions)]
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ContractError(f"{path}: {error}") from error
    if not isinstance(document, dict) or str(document.get("version")) not in path.name:
        raise ContractError(f"{path}: not the contract that its name says")
    return path, document


if __name__ == "__main__":
    sys.exit(main())
