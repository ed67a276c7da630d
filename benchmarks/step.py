"""What recording a step costs, beside what MLflow's tracking of the same run costs.

Both record into a SQLite file of their own on this disk: one input, one output, three parameters,
one number. Tidegate hashes input and output, reads the environment and asks git; MLflow copies the
output. Then a command alone and within `tidegate attest run`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RUNS = 15


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        # Not in the folder at hand: a folder `tidegate` there would be taken for the package.
        os.environ["XDG_DATA_HOME"] = f"{name}/data"
        os.environ["TIDEGATE_LEDGER"] = f"sqlite:///{name}/ledger.db"
        subprocess.run(["git", "init", "-q", "."], check=True)
        Path("train.csv").write_bytes(os.urandom(1 << 20))
        Path("model.bin").write_bytes(os.urandom(4 << 20))
        ours = measured(step())
        theirs = measured(mlflow_run(name))
        print(f"a step: {ours * 1e3:.0f} ms; MLflow's run: {theirs * 1e3:.0f} ms")
        for part, function in parts().items():
            print(f"  {part}: {measured(function) * 1e3:.1f} ms")
        alone = measured(lambda: subprocess.run(["true"], check=True), runs=5)
        within = measured(
            lambda: subprocess.run(
                [sys.executable, "-m", "tidegate", "attest", "run", "--output", "model.bin",
                 "--", "true"],
                check=True,
            ),
            runs=5,
        )  # fmt: skip
        print(f"a command alone: {alone * 1e3:.0f} ms; within attest run: {within * 1e3:.0f} ms")


def measured(function: Callable[[], object], *, runs: int = RUNS) -> float:
    """The median of a few runs in seconds, after one that is not counted."""
    function()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def step() -> Callable[[], object]:
    import tidegate

    def run() -> None:
        with tidegate.step(
            "train", inputs=["train.csv"], parameters={"a": 1, "b": 0.1, "c": "x"}
        ) as running:
            running.output("model.bin")
            running.metric("loss", 0.5)

    return run


def mlflow_run(folder: str) -> Callable[[], object]:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("benchmark")

    def run() -> None:
        with mlflow.start_run():
            mlflow.log_params({"a": 1, "b": 0.1, "c": "x"})
            mlflow.log_metric("loss", 0.5)
            mlflow.log_artifact("model.bin")

    return run


def parts() -> dict[str, Callable[[], object]]:
    from tidegate.provenance import HostProbe, Redactor
    from tidegate.provenance.environment import capture_environment
    from tidegate.provenance.git import read_git

    return {
        "git": lambda: read_git(Path.cwd(), Redactor()),
        "environment": lambda: capture_environment((Path.cwd(),)),
        "machine": lambda: HostProbe.start().result(),
    }


if __name__ == "__main__":
    main()
