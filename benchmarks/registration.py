"""Registering a small clean model: a stock server and a gated one, side by side in one run.

Each call registers a model whose bytes no server has seen, so that every one is scanned. The
two servers are asked in turn, and each has its own SQLite database.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from samples.servers import mlflow_server

RUNS = 25


def main() -> None:
    """Print the medians, and the median of the differences pair by pair."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        X, y = load_iris(return_X_y=True)
        model = LogisticRegression(max_iter=500).fit(X, y)
        mlflow.sklearn.save_model(model, root / "model", pip_requirements=["scikit-learn"])
        times: dict[str, list[float]] = {"stock": [], "gated": []}
        with (
            mlflow_server(root / "a", f"sqlite:///{root}/a.db", gated=False) as stock,
            mlflow_server(root / "b", f"sqlite:///{root}/b.db") as gated,
        ):
            clients = {
                "stock": MlflowClient(stock.address, stock.address),
                "gated": MlflowClient(gated.address, gated.address),
            }
            for client in clients.values():
                client.create_registered_model("m")
            for turn in range(RUNS + 3):
                (root / "model" / "notes.txt").write_text(f"run {turn}\n")
                for label, client in clients.items():
                    run = client.create_run("0")
                    client.log_artifacts(run.info.run_id, str(root / "model"), "model")
                    source = f"{run.info.artifact_uri}/model"
                    start = time.perf_counter()
                    version = client.create_model_version(
                        "m", source, run.info.run_id, await_creation_for=0
                    )
                    spent = time.perf_counter() - start
                    assert version.status == "READY", version.status_message
                    if turn >= 3:
                        times[label].append(spent)
    added = [gated - stock for gated, stock in zip(times["gated"], times["stock"], strict=True)]
    print(f"create_model_version of a small clean model, {RUNS} pairs")
    for label, each in times.items():
        print(f"  {label}  median {statistics.median(each):.3f} s, max {max(each):.3f} s")
    print(f"  added  median {statistics.median(added):.3f} s, max {max(added):.3f} s")


if __name__ == "__main__":
    main()
