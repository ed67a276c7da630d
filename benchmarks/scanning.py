"""Scanning large and many files, against SHA-256 alone and against other scanners.

Every figure is of a whole process, from its start to its end, files in the page cache. The others
run in an environment of their own (`make bench` makes it). What they do differs: neither picklescan
nor fickling nor modelscan nor modelaudit says which bytes it looked at (no hash), and none of them
isolates its parsers; picklescan, fickling and modelscan read the pickle in a file and pass over the
rest, and over formats that carry none. So none of them can be compared with SHA-256 over all bytes:
what stands beside us is how long a user waits. The exit code tells who gave up: 2 of picklescan is
an error, 3 of modelscan that there was nothing it could read.
"""

from __future__ import annotations

import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

RUNS = 7
PEER_RUNS = 2
PATIENCE = 120
PEERS = Path(os.environ.get("TIDEGATE_PEERS", ".venv-peers")) / "bin"
HASH = "import hashlib, sys; hashlib.file_digest(open(sys.argv[1], 'rb'), 'sha256')"
FICKLING = """
import pathlib, sys
from fickling import is_likely_safe
given = pathlib.Path(sys.argv[1])
for path in sorted(given.rglob("*")) if given.is_dir() else [given]:
    try:
        is_likely_safe(str(path))
    except Exception:
        print("error in", path)
"""


@dataclass
class Row:
    """One command's figures over one artifact."""

    command: list[str]
    seconds: list[float] = field(default_factory=list)
    memory: int = 0
    said: str = ""


def floats(count: int, seed: int) -> Any:
    """Random numbers, which no compression or deduplication makes smaller."""
    import numpy as np

    return np.random.default_rng(seed).standard_normal(count).astype(np.float32)


def safetensors(folder: Path) -> Path:
    """1 GB of tensors."""
    from safetensors.numpy import save_file

    path = folder / "model.safetensors"
    save_file({f"layer.{i}": floats(1 << 24, i).reshape(4096, -1) for i in range(16)}, path)
    return path


def torch_zip(folder: Path) -> Path | None:
    """500 MB as `torch.save` writes them; None without torch."""
    try:
        import torch
    except ImportError:
        return None
    path = folder / "model.pt"
    torch.save({f"layer.{i}": torch.from_numpy(floats(1 << 23, i)) for i in range(15)}, path)
    return path


def joblib_file(folder: Path) -> Path:
    """200 MB as `joblib.dump` writes them."""
    import joblib

    path = folder / "model.joblib"
    joblib.dump({f"part {i}": floats(1 << 21, i) for i in range(25)}, path)
    return path


def small_files(folder: Path) -> Path:
    """2,000 small models."""
    from sklearn.linear_model import LogisticRegression

    path = folder / "small"
    path.mkdir()
    for index in range(2000):
        model = LogisticRegression()
        model.coef_, model.intercept_ = floats(20, index).reshape(1, -1), floats(1, index)
        (path / f"model-{index}.pkl").write_bytes(pickle.dumps(model))
    return path


def one_small_file(folder: Path) -> Path:
    """A model of a few hundred bytes."""
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps({"weights": [1.0, 2.0, 3.0]}))
    return path


def run(row: Row) -> None:
    """Run the command once and note its time, and the memory of its largest process."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            row.command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1"},
        )
        deadline = start + PATIENCE
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            if time.perf_counter() > deadline:
                process.kill()
                os.wait4(process.pid, 0)
                row.seconds.append(PATIENCE)
                row.said = f"stopped after {PATIENCE} s"
                return
            time.sleep(0.001)
        row.seconds.append(time.perf_counter() - start)
        row.memory = max(row.memory, usage.ru_maxrss)
        process.returncode = os.waitstatus_to_exitcode(status)
        row.said = f"exit {process.returncode}"


def commands(artifact: Path) -> dict[str, list[str]]:
    """What is run over the artifact; SHA-256 first where it is one file."""
    us = [str(Path(sys.executable).parent / "tidegate"), "scan", str(artifact)]
    found = {} if artifact.is_dir() else {"sha256": [sys.executable, "-c", HASH, str(artifact)]}
    found["tidegate"] = us
    if PEERS.is_dir():
        found["picklescan"] = [str(PEERS / "picklescan"), "--path", str(artifact)]
        found["fickling"] = [str(PEERS / "python"), "-c", FICKLING, str(artifact)]
        found["modelscan"] = [str(PEERS / "modelscan"), "-p", str(artifact)]
        found["modelaudit"] = [str(PEERS / "modelaudit"), "scan", str(artifact)]
    return found


def measure(title: str, artifact: Path) -> None:
    """Run everything in turn, and print a line for each."""
    rows = {label: Row(command) for label, command in commands(artifact).items()}
    for turn in range(RUNS):
        for label, row in rows.items():
            if turn < (RUNS if label in {"sha256", "tidegate"} else PEER_RUNS):
                run(row)
    print(f"{title}: median of {RUNS} runs, of {PEER_RUNS} for the others")
    alone = rows.get("sha256")
    for label, row in rows.items():
        ratio = ""
        if alone is not None:
            pairs = zip(row.seconds, alone.seconds, strict=False)
            ratio = f"{statistics.median(a / b for a, b in pairs):6.2f} x"
        print(
            f"  {label:<11} {statistics.median(row.seconds):8.3f} s {ratio:>8}"
            f"  {row.memory / 1024:6.0f} MB  {row.said}"
        )


def main() -> None:
    """One table for each kind of artifact."""
    makers: dict[str, Callable[[Path], Path | None]] = {
        "1 GB safetensors (target 1.15 x)": safetensors,
        "500 MB torch zip (target 1.3 x)": torch_zip,
        "200 MB joblib (target 1.5 x)": joblib_file,
        "2,000 small pickles (target 3 s)": small_files,
        "one small pickle (target 0.5 s)": one_small_file,
    }
    for title, make in makers.items():
        folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
        try:
            # In a process of its own: a child's memory is counted from its parent's on.
            with ProcessPoolExecutor(1, get_context("spawn")) as maker:
                artifact = maker.submit(make, folder).result()
            if artifact is None:
                print(f"{title}: left out, its library is not installed")
            else:
                measure(title, artifact)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
