"""What the gate and the guard add to each call: a stock server and a gated one, in one run.

Both servers hold the same versions of the same model and are asked in turn by raw HTTP over one
kept connection each, so that what is compared is the server's work. Every request is one that a
clean server answers; the median of the differences pair by pair is what the gate costs. What the
guard alone takes of a request is measured in this process, where no server's noise hides it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mlflow
import requests
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from samples.servers import Server, mlflow_server

from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import Action, profile
from tidegate_mlflow import places
from tidegate_mlflow.guard import Guard
from tidegate_mlflow.guarded_places import Use
from tidegate_mlflow.verdicts import Verdicts

VERSIONS, TURNS = 20, 200


class Asked:
    """One server with its models registered, and the calls that are timed."""

    def __init__(self, server: Server, model: Path) -> None:
        self.address = server.address
        self.session = requests.Session()
        mlflow.set_tracking_uri(server.address)
        mlflow.set_registry_uri(server.address)
        client = MlflowClient(server.address, server.address)
        client.create_registered_model("m")
        for _ in range(VERSIONS):
            logged = client.create_logged_model("0", "model")
            client.log_model_artifacts(logged.model_id, str(model))
            client.finalize_logged_model(logged.model_id, "READY")
            version = client.create_model_version(
                "m", f"models:/{logged.model_id}", model_id=logged.model_id
            )
            assert version.status == "READY", version.status_message
        client.set_registered_model_alias("m", "champion", "3")
        run = client.create_run("0")
        client.log_text(run.info.run_id, "x" * 1000, "notes.txt")
        self.registered = f"0/models/{logged.model_id}/artifacts/MLmodel"
        self.run = f"0/{run.info.run_id}/artifacts"

    def get(self, path: str) -> None:
        """One GET that must be answered."""
        answer = self.session.get(f"{self.address}/{path}", timeout=60)
        assert answer.status_code == 200, answer.text

    def put(self, path: str) -> None:
        """One upload that must be taken."""
        answer = self.session.put(f"{self.address}/{path}", data=b"x" * 1000, timeout=60)
        assert answer.status_code == 200, answer.text


API = "api/2.0/mlflow"
PROXY = "api/2.0/mlflow-artifacts/artifacts"

CALLS: dict[str, Callable[[Asked], None]] = {
    "get a version": lambda s: s.get(f"{API}/model-versions/get?name=m&version=3"),
    "search versions": lambda s: s.get(f"{API}/model-versions/search?filter=name%3D'm'"),
    "get a registered model": lambda s: s.get(f"{API}/registered-models/get?name=m"),
    "search registered models": lambda s: s.get(f"{API}/registered-models/search"),
    "get by alias": lambda s: s.get(f"{API}/registered-models/alias?name=m&alias=champion"),
    "get the download's address": lambda s: s.get(
        f"{API}/model-versions/get-download-uri?name=m&version=3"
    ),
    "read a run's file": lambda s: s.get(f"{PROXY}/{s.run}/notes.txt"),
    "read a registered file": lambda s: s.get(f"{PROXY}/{s.registered}"),
    "write a run's file": lambda s: s.put(f"{PROXY}/{s.run}/notes.txt"),
}


def guard_alone(root: Path) -> None:
    """Print what a clean request spends in the guard, with a thousand versions on record."""
    folder = str(root / "artifacts")
    (root / "one").mkdir()
    (root / "one" / "notes.txt").write_text("hello\n")
    with Gate(profile("standard"), Ledger.open(f"sqlite:///{root}/ledger.db")) as gate:
        decision = gate.check(root / "one", Action.REGISTER, subject="m/1")
        for number in range(1000):
            gate.ledger.add_registration(
                store="mlflow:default",
                name="m",
                version=str(number + 1),
                created_ms=number,
                source=f"mlflow-artifacts:/0/models/m-{number}/artifacts",
                digest=decision.digest,
                decision_id=decision.id,
            )

        def places_of(location: str, _: str) -> tuple[str, ...]:
            return places.local(folder, location.removeprefix("mlflow-artifacts:/"))

        guard = Guard(Verdicts(gate), places_of, lambda _: False, lambda: None)
        for label, use, path in (
            ("guard: a run's file read", Use.READ, "0/run/artifacts/x.txt"),
            ("guard: a run's file written", Use.WRITE, "0/run/artifacts/x.txt"),
            ("guard: a registered file read", Use.READ, "0/models/m-77/artifacts/MLmodel"),
            ("guard: a folder deleted", Use.SWEEP, "0/run/artifacts"),
        ):
            times = []
            for _ in range(TURNS + 10):
                start = time.perf_counter()
                guard.require(use, places.local(folder, path))
                times.append(1000 * (time.perf_counter() - start))
            print(f"{label:38}{'':8}{statistics.median(times[10:]):20.2f}")


def main() -> None:
    """Print medians, their ratio, and the median of the differences pair by pair."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        X, y = load_iris(return_X_y=True)
        model = LogisticRegression(max_iter=500).fit(X, y)
        mlflow.sklearn.save_model(model, root / "model", pip_requirements=["scikit-learn"])
        with (
            mlflow_server(root / "a", f"sqlite:///{root}/a.db", gated=False) as stock,
            mlflow_server(root / "b", f"sqlite:///{root}/b.db") as gated,
        ):
            servers = [Asked(each, root / "model") for each in (stock, gated)]
            print(f"{TURNS} pairs of each call, {VERSIONS} versions, SQLite, one uvicorn worker")
            print(f"{'':28}{'stock ms':>10}{'gated ms':>10}{'ratio':>8}{'added ms':>10}")
            for label, call in CALLS.items():
                times: list[list[float]] = [[], []]
                for turn in range(TURNS + 10):
                    # Who is asked second finds warmer caches: they take turns at that too.
                    for which in (0, 1) if turn % 2 else (1, 0):
                        start = time.perf_counter()
                        call(servers[which])
                        times[which].append(1000 * (time.perf_counter() - start))
                plain, ours = (statistics.median(each[10:]) for each in times)
                added = statistics.median(
                    b - a for a, b in zip(times[0][10:], times[1][10:], strict=True)
                )
                print(f"{label:28}{plain:10.2f}{ours:10.2f}{ours / plain:8.3f}{added:10.2f}")
        guard_alone(root)


if __name__ == "__main__":
    main()
