"""Rapport in Airflow: the steps of `make refresh` as tasks, each failing on any exit code other than 0.

Airflow has an environment of its own; the project's is in RAPPORT_HOME. Copy this file to the folder of DAGs.
"""

import os
import subprocess
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

HOME = os.environ.get("RAPPORT_HOME", "/opt/rapport")
DATA = {
    "RAPPORT_RAW": os.environ.get("RAPPORT_RAW", "/srv/rapport/export"),
    "RAPPORT_DB": os.environ.get("RAPPORT_DB", "/srv/rapport/warehouse/rapport.duckdb"),
}
STEPS = ("freshness", "publish", "export", "report")


def tell(context: dict[str, Any]) -> None:
    """Mail which step failed; RAPPORT_ALERT is the command that is given the message."""
    task = context["task_instance"]
    message = f"Rapport: {task.task_id} failed in run {task.run_id} after {task.try_number} tries. {task.log_url}"
    subprocess.run(os.environ["RAPPORT_ALERT"], shell=True, check=True, input=message, text=True)


with DAG(
    dag_id="rapport_refresh",
    schedule="10 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={
        # Enough for a database that is in use, or an export that is still being copied; a broken one fails three times.
        "retries": 2,
        "retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=1),
        "on_failure_callback": tell,
    },
) as dag:
    tasks = [
        BashOperator(
            task_id=step,
            bash_command=f"make --no-print-directory -C '{HOME}' {step}",
            append_env=True,
            env=DATA,
        )
        for step in STEPS
    ]
    chain(*tasks)
