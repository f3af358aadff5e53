"""Rapport in Dagster: every model an asset, the gates' verdicts as failed steps, a job for every night.

Dagster has an environment of its own with dagster-dbt in it; dbt is the project's. Start it with
`dagster dev -f examples/scheduling/dagster/definitions.py` in the project's folder, after `make build`.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

ROOT = Path(os.environ.get("RAPPORT_HOME", Path(__file__).parents[3])).resolve()
DBT = ROOT / ".venv/bin/dbt"
PROJECT = DbtProject(project_dir=ROOT, profiles_dir=ROOT)
if not PROJECT.manifest_path.exists():
    subprocess.run([DBT, "--quiet", "parse", "--profiles-dir", ROOT], cwd=ROOT, check=True)


@dbt_assets(manifest=PROJECT.manifest_path)
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """Freshness, then the whole build: marts are published only if every model was selected."""
    dbt.cli(["source", "freshness"]).wait()
    yield from dbt.cli(["build"], context=context).stream()


def make(target: str) -> None:
    """Run one of the project's make targets; an exit code other than 0 fails the step."""
    subprocess.run(["make", "--no-print-directory", "-C", ROOT, target], check=True)


@dg.asset(deps=[models])
def export() -> None:
    """The published marts as files."""
    make("export")


@dg.asset(deps=[export])
def report() -> None:
    """The report on the published marts."""
    make("report")


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def tell(context: dg.RunFailureSensorContext) -> None:
    """Mail what failed; RAPPORT_ALERT is the command that is given the message."""
    message = f"Rapport: run {context.dagster_run.run_id} failed. {context.failure_event.message}"
    subprocess.run(os.environ["RAPPORT_ALERT"], shell=True, check=True, input=message, text=True)


refresh = dg.define_asset_job("refresh", selection=dg.AssetSelection.all())
defs = dg.Definitions(
    assets=[models, export, report],
    jobs=[refresh],
    schedules=[dg.ScheduleDefinition(job=refresh, cron_schedule="10 3 * * *")],
    sensors=[tell],
    resources={"dbt": DbtCliResource(project_dir=PROJECT, dbt_executable=str(DBT))},
)
