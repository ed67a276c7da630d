"""Cold starts of the command, as whole processes, beside a bare interpreter and picklescan."""

from __future__ import annotations

import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 9


def main() -> None:
    """Print the median of each command."""
    bin_ = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as name:
        small = Path(name) / "model.pkl"
        small.write_bytes(pickle.dumps({"weights": [1.0, 2.0, 3.0]}))
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "tidegate --version": [str(bin_ / "tidegate"), "--version"],
            "tidegate scan (22 bytes)": [str(bin_ / "tidegate"), "scan", str(small)],
            "picklescan (22 bytes)": [str(bin_ / "picklescan"), "--path", str(small)],
        }
        times: dict[str, list[float]] = {label: [] for label in commands}
        for _ in range(RUNS):
            for label, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, capture_output=True, check=True)
                times[label].append(time.perf_counter() - start)
    print(f"Cold starts, median of {RUNS} runs (min, max)")
    for label, each in times.items():
        print(f"  {label:<26} {statistics.median(each):.3f} s ({min(each):.3f}, {max(each):.3f})")


if __name__ == "__main__":
    main()
