"""A manifest of 1 GB against `hashlib.sha256` alone over the same bytes.

SHA-256 alone is measured twice: over a file, as everybody does it (`hashlib.file_digest`), and
over memory, which reads nothing. Files are in the page cache in every case.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tidegate.artifact import read_manifest

SIZE = 1 << 30
RUNS = 7
BLOCK = os.urandom(1 << 20)


def timed(action: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def sha256_of_file(path: Path) -> str:
    """The alternative: one thread, one file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_memory() -> str:
    """As many bytes, none of them read."""
    digest = hashlib.sha256()
    for _ in range(SIZE // len(BLOCK)):
        digest.update(BLOCK)
    return digest.hexdigest()


def fill(path: Path, size: int) -> None:
    """Write `size` bytes."""
    with path.open("wb") as file:
        for _ in range(size // len(BLOCK)):
            file.write(BLOCK)


def main() -> None:
    """Print one row for each arrangement."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, eight = folder / "one", folder / "eight"
        fill(one, SIZE)
        eight.mkdir()
        for index in range(8):
            fill(eight / str(index), SIZE // 8)
        rows: dict[str, list[float]] = {"file": [], "memory": [], "one": [], "eight": []}
        for _ in range(RUNS):
            rows["file"].append(timed(lambda: sha256_of_file(one)))
            rows["memory"].append(timed(sha256_of_memory))
            rows["one"].append(timed(lambda: read_manifest(one)))
            rows["eight"].append(timed(lambda: read_manifest(eight)))
    print(f"1 GiB, {os.cpu_count()} cores, median of {RUNS} runs")
    for label, key in (
        ("hashlib.sha256 over the file", "file"),
        ("hashlib.sha256 over memory", "memory"),
    ):
        print(f"  {label:<30} {statistics.median(rows[key]):.3f} s")
    for label, key in (("manifest, one file", "one"), ("manifest, eight files", "eight")):
        against = [
            statistics.median(a / b for a, b in zip(rows[base], rows[key], strict=True))
            for base in ("file", "memory")
        ]
        print(
            f"  {label:<30} {statistics.median(rows[key]):.3f} s: {against[0]:.2f} x the speed of "
            f"SHA-256 over the file, {against[1]:.2f} x over memory"
        )


if __name__ == "__main__":
    main()
