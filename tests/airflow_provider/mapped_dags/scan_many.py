"""Scan each of several artifacts in a task instance of its own; `paths` in the configuration."""

from __future__ import annotations

from airflow.sdk import DAG, get_current_context, task

from tidegate_airflow import ScanArtifactOperator

with DAG("scan_many", schedule=None):

    @task
    def paths() -> list[str]:
        """What is there to scan."""
        return get_current_context()["dag_run"].conf["paths"]

    ScanArtifactOperator.partial(
        task_id="scan", subject="fraud", map_index_template="{{ task.path }}"
    ).expand(path=paths())
