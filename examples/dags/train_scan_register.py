"""Train a model, scan it, register it in MLflow, and check it again before it is promoted.

    train -> scan -> register -> gate -> promote

Set on the workers:

- `MLFLOW_TRACKING_URI`: the MLflow server, such as http://127.0.0.1:5000
- `TIDEGATE_LEDGER`: where decisions are kept, such as sqlite:////var/lib/tidegate/ledger.db
  (or define a connection `tidegate_default` of type `tidegate`)
- `MODELS_FOLDER`: where models are written, on a disk that all workers share

Trigger it with the parameter `hostile` set to see the scan stop a model whose loading would run
a command: `scan` fails and says why, and `register`, `gate` and `promote` never start.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import Param, dag, get_current_context, task

from tidegate_airflow import DeployGateOperator, ScanArtifactOperator

MODEL = "digits"
MODELS_FOLDER = Path(os.environ.get("MODELS_FOLDER", "~/airflow/models")).expanduser()


@dag(
    schedule=None,
    params={
        "hostile": Param(
            False, type="boolean", description="Write a model that must not get through."
        )
    },
    tags=["tidegate", "example"],
    doc_md=__doc__,
)
def train_scan_register() -> None:
    """The pipeline; each task below is one box in Airflow's graph."""

    @task
    def train() -> str:
        """Fit a small classifier on handwritten digits, write it, and return its folder."""
        context = get_current_context()
        # A folder of its own for each try, so that nothing that was scanned is written over.
        folder = MODELS_FOLDER / MODEL / context["run_id"] / f"try-{context['ti'].try_number}"
        if context["params"]["hostile"]:
            return write_hostile_model(folder)

        import mlflow.sklearn
        from sklearn.datasets import load_digits
        from sklearn.linear_model import LogisticRegression

        images, labels = load_digits(return_X_y=True)
        model = LogisticRegression(max_iter=500).fit(images / 16.0, labels)
        mlflow.sklearn.save_model(model, folder)
        return str(folder)

    @task
    def register(folder: str) -> str:
        """Upload the scanned folder and register it; returns the new version's number.

        These are plain MLflow calls. A server that Tidegate guards looks at the bytes again and
        holds the version if they don't pass, so `register_model` fails there too.
        """
        import mlflow

        with mlflow.start_run(run_name=MODEL) as run:
            mlflow.log_artifacts(folder, "model")
        return str(mlflow.register_model(f"runs:/{run.info.run_id}/model", MODEL).version)

    @task
    def promote(version: str) -> None:
        """Make the version the one that serving picks up."""
        from mlflow import MlflowClient

        MlflowClient().set_registered_model_alias(MODEL, "champion", version)

    trained = train()

    # Fails, without a retry, if the policy holds the model: nothing below then starts.
    scan = ScanArtifactOperator(task_id="scan", path=trained, subject=MODEL, action="register")

    # Hashes the folder again. It believes the ledger, not that a task before it went green, and
    # it stops if anybody wrote to the folder since the scan.
    gate = DeployGateOperator(
        task_id="gate", path=trained, subject=MODEL, expected_digest=scan.output["digest"]
    )

    version = register(trained)
    scan >> version >> gate >> promote(version)


def write_hostile_model(folder: Path) -> str:
    """A pickle that would run a command on whoever loads it. Nothing in this DAG ever does."""
    import pickle

    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("echo a model ran this command",)

    folder.mkdir(parents=True)
    (folder / "model.pkl").write_bytes(pickle.dumps(Payload()))
    return str(folder)


train_scan_register()
