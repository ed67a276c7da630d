"""Scan an artifact, let something happen to it, ask two gates, deploy.

The run's configuration has `path`, and may have `swap`: a file that takes its place after the
scan. `gate` takes any bytes with a passing record, `same_gate` only those that were scanned.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, get_current_context, task

from tidegate_airflow import DeployGateOperator, ScanArtifactOperator

PATH = "{{ dag_run.conf['path'] }}"

with DAG("scan_and_deploy", schedule=None):
    scan = ScanArtifactOperator(
        task_id="scan",
        path=PATH,
        subject="fraud",
        retries=2,
        retry_delay=timedelta(seconds=0),
    )

    @task
    def between() -> None:
        """Whatever may happen after a scan."""
        import shutil

        conf = get_current_context()["dag_run"].conf
        if conf.get("swap"):
            shutil.copyfile(conf["swap"], conf["path"])

    gate = DeployGateOperator(task_id="gate", path=PATH, subject="fraud")
    same_gate = DeployGateOperator(
        task_id="same_gate", path=PATH, subject="fraud", expected_digest=scan.output["digest"]
    )

    @task
    def deploy(digest: str) -> str:
        """What must not run with anything that was held."""
        return digest

    happened = between()
    scan >> happened >> [gate, same_gate] >> deploy(gate.output["digest"])
