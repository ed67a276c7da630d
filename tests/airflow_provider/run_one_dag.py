"""Run the one DAG of a file with `dag.test()`, and write down how its tasks ended.

Started by the fixture `run_dag`: `python run_one_dag.py DAG_FILE ANSWER_FILE`, with the run's
configuration as JSON on standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(file: Path, answer: Path) -> None:
    """Load, run, and answer."""
    request = json.load(sys.stdin)

    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    bag = DagBag(dag_folder=str(file))
    assert not bag.import_errors, bag.import_errors
    (dag,) = bag.dags.values()
    run = dag.test(run_conf=request["conf"], mark_success_pattern=request["mark_success"])

    def name(row: object) -> str:
        return row.task_id + (f"[{row.map_index}]" if row.map_index >= 0 else "")

    with create_session() as session:
        rows = session.query(XComModel).filter(XComModel.run_id == run.run_id).all()
        told = {
            "state": str(run.state.value),
            "tasks": {
                name(each): {"state": str(each.state), "tries": each.try_number}
                for each in run.get_task_instances(session=session)
            },
            "results": {
                name(row): XComModel.deserialize_value(row)
                for row in rows
                if row.key == "return_value"
            },
        }
    answer.write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
