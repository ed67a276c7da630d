"""Run one DAG of a file in this process with `dag.test()`, and say how each task ended.

    AIRFLOW_HOME=… MLFLOW_TRACKING_URI=… python run_dag.py DAG_FILE [--hostile]

Exits 0 where the run succeeded, 10 where a task of it failed.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

FAILED = 10


def main(file: str, *, hostile: bool) -> int:
    """Prepare Airflow's database, run the DAG, print the tasks in their order."""
    # `dag.test()` finds the DAG again in Airflow's own folder.
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(file).parent)
    if not (Path(os.environ["AIRFLOW_HOME"]) / "airflow.db").exists():
        migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(migrate, check=True, capture_output=True)
    log = io.StringIO()
    # Airflow logs every step of its own here; what counts is printed below.
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(dag_folder=file)
        if bag.import_errors:
            raise SystemExit(f"{file} can't be imported: {bag.import_errors}")
        (dag,) = bag.dags.values()
        run = dag.test(run_conf={"hostile": hostile})
        tasks = {each.task_id: str(each.state) for each in run.get_task_instances()}
    for name in [task.task_id for task in dag.topological_sort()]:
        print(f"{name:<10} {tasks.get(name)}")
    refusal = log.getvalue().partition("Tidegate: ")[2].partition("\nArtifact ")[0]
    print(f"Tidegate: {refusal}" if refusal else "")
    return 0 if str(run.state.value) == "success" else FAILED


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1])), hostile="--hostile" in sys.argv[2:]))
