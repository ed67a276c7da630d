"""The demo: a gated MLflow server, a stock client, and an admin, from logging to review.

    python run.py --client .venv-client/bin/python --output demo-output

It runs each step as its person would, checks that the outcome is the expected one, ends with a
table, and exits 0 only if every step came out as it should.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import server

HERE = Path(__file__).parent
DAG = HERE.parent / "dags" / "train_scan_register.py"
TIDEGATE = Path(sys.executable).with_name("tidegate")
MLFLOW_NOISE = (
    "it/s]",
    "View run",
    "View experiment",
    "WARNING",
    "INFO",
    "warn",
    "Created version",
)
REFUSED = 10


def readable(output: str) -> list[str]:
    """The lines that a person would look for: no progress, and of a traceback only its end."""
    kept: list[str] = []
    in_traceback = False
    for line in output.splitlines():
        if line.startswith("Traceback"):
            in_traceback = True
        elif in_traceback and line[:1].strip():
            in_traceback = False
        if line.strip() and not in_traceback and not any(each in line for each in MLFLOW_NOISE):
            kept.append(line)
    return kept


@dataclass
class Demo:
    """What the steps share: where things are, and what has happened so far."""

    client: str
    folder: Path
    address: str
    rows: list[tuple[str, str, str, bool]] = field(default_factory=list)

    @property
    def marker(self) -> Path:
        """The file that the hostile model's command would make."""
        return self.folder / "the-hostile-model-ran"

    def run(self, who: str, what: str, line: list[str], *, expect: int, then: str) -> str:
        """Run one person's command, show it with its output, and note whether it came out right."""
        print(f"\n\033[1m{who}: {what}\033[0m" if sys.stdout.isatty() else f"\n{who}: {what}")
        shown = [Path(part).name if part.startswith("/") else part for part in line]
        print("  $ " + " ".join(f"'{part}'" if " " in part else part for part in shown))
        done = subprocess.run(
            line,
            cwd=self.folder,
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=240,
            check=False,
        )
        for text in readable(done.stdout):
            print(f"  | {text}")
        as_expected = done.returncode == expect
        self.rows.append(
            (who, what, then if as_expected else f"exit {done.returncode}", as_expected)
        )
        if not as_expected:
            print(f"  exit {done.returncode}, not {expect}; all of its output:\n{done.stdout}")
        return done.stdout

    def scientist(self, step: str, what: str, *, expect: int, then: str) -> str:
        """A step of the data scientist: stock MLflow, without tidegate."""
        line = [self.client, str(HERE / "client.py"), step]
        return self.run("data scientist", what, line, expect=expect, then=then)

    def admin(self, what: str, *arguments: str, expect: int = 0, then: str) -> str:
        """A step of the registry admin: the `tidegate` command."""
        return self.run(
            "registry admin", what, [str(TIDEGATE), *arguments], expect=expect, then=then
        )

    def environment(self) -> dict[str, str]:
        """What both sides are told: where the server is; for the admin, where the ledger is."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "TIDEGATE_"))}
        return kept | {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "GIT_PYTHON_REFRESH": "quiet",
            "PYTHONWARNINGS": "ignore",
            "NO_COLOR": "1",
            "TIDEGATE_LEDGER": f"sqlite:///{self.folder}/mlflow.db",
            "TIDEGATE_ACTOR": "ada",
            "DEMO_MARKER": str(self.marker),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "MODELS_FOLDER": str(self.folder / "models"),
        }

    def note(self, who: str, what: str, then: str, *, right: bool) -> None:
        """A row of the table for something that was checked here."""
        self.rows.append((who, what, then, right))


def clean_model(demo: Demo) -> None:
    """A model with nothing to hold: the registry is as it always was."""
    demo.scientist("log-clean", "logs, registers and loads a clean model", expect=0, then="passed")


def hostile_model(demo: Demo) -> None:
    """A pickle that runs a command: refused at every door, then rejected on record."""
    held = "refused"
    demo.scientist(
        "log-hostile", "registers a model whose pickle runs a command", expect=REFUSED, then=held
    )
    demo.scientist("use-hostile", "gives it an alias, and loads it", expect=REFUSED, then=held)
    mlflow = str(Path(demo.client).with_name("mlflow"))
    serve = [mlflow, "models", "serve", "-m", "models:/hostile/1", "--env-manager", "local"]
    serve += ["-p", str(server.free_port())]
    demo.run("data scientist", "serves it", serve, expect=1, then=held)
    demo.admin("sees what is held", "review", "list", then="shown")
    demo.admin("looks at the evidence", "review", "show", "hostile/1", then="shown")
    demo.admin(
        "rejects it", "review", "reject", "hostile/1", "--reason", "runs a command when loaded",
        then="rejected",
    )  # fmt: skip


def own_code(demo: Demo) -> None:
    """A class of the scientist's own: held as unreviewed, waived by an admin, then loaded."""
    demo.scientist(
        "log-own-code", "registers a model with a class of his own", expect=REFUSED, then="held"
    )
    demo.admin("looks at it", "review", "show", "churn/1", then="shown")
    demo.admin(
        "waives it for 30 days", "review", "waive", "churn/1", "--rule", "PICKLE-UNREVIEWED-CODE",
        "--days", "30", "--reason", "read churn_features.py: it takes a logarithm",
        then="waived",
    )  # fmt: skip
    demo.scientist("load-own-code", "loads it now", expect=0, then="passed")


def pipeline(demo: Demo) -> None:
    """The example DAG: train, scan, register; then the same with a hostile artifact."""
    run_dag = [sys.executable, str(HERE / "run_dag.py"), str(DAG)]
    demo.run("DAG author", "runs the example DAG", run_dag, expect=0, then="registered")
    demo.run(
        "DAG author", "runs it with a hostile artifact", [*run_dag, "--hostile"], expect=REFUSED,
        then="stopped before MLflow",
    )  # fmt: skip


def reports(demo: Demo) -> None:
    """Leave an SBOM, a SARIF report and a JSON report."""
    demo.admin("prints an SBOM", "sbom", "iris/1", "--output", "iris-sbom.json", then="written")
    models = sorted(str(p.parent) for p in (demo.folder / "artifacts").rglob("MLmodel"))
    for form, name in (("sarif", "scan.sarif"), ("json", "scan.json")):
        demo.admin(
            f"scans the whole store, as {form}",
            *("scan", *models, "--format", form, "--output", name),
            expect=1,
            then="written, with the held ones named",
        )


def table(demo: Demo) -> None:
    """What happened, in short."""
    widths = [max(len(row[column]) for row in demo.rows) for column in range(3)]
    print("\nWhat happened:")
    for who, what, then, right in demo.rows:
        mark = "ok " if right else "BAD"
        print(f"  {mark}  {who:<{widths[0]}}  {what:<{widths[1]}}  {then}")


def main() -> int:
    """Run all steps; 0 only if each came out as it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", required=True, help="a Python with MLflow, without tidegate")
    parser.add_argument("--output", required=True, type=Path, help="made anew")
    options = parser.parse_args()
    started = time.monotonic()
    folder = options.output.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "artifacts").mkdir(parents=True)
    with server.running(folder) as address:
        demo = Demo(os.path.abspath(options.client), folder, address)
        print(f"A stock MLflow server with the gate runs at {address}.")
        for part in (clean_model, hostile_model, own_code, safetensors_model, pipeline, reports):
            part(demo)
    demo.note(
        "everybody",
        "the hostile model's command",
        "RAN" if demo.marker.exists() else "never ran",
        right=not demo.marker.exists(),
    )
    table(demo)
    print(
        f"\nLeft in {folder}: mlflow.db (with the ledger), iris-sbom.json, scan.sarif, scan.json."
    )
    print(f"It took {time.monotonic() - started:.0f} s.")
    return 0 if all(right for *_, right in demo.rows) else 1


def safetensors_model(demo: Demo) -> None:
    """Tensors and nothing else: passes."""
    demo.scientist("log-safetensors", "registers safetensors weights", expect=0, then="passed")


if __name__ == "__main__":
    sys.exit(main())
