"""A manifest of 1 GB against `hashlib.sha256` alone over the same bytes.

SHA-256 alone is measured twice: over a file, as everybody does it (`hashlib.file_digest`), and
over memory, which reads nothing. Files are in the page cache in every case. What two threads of
SHA-256 over memory reach is the machine's ceiling for several files: where two "cores" share one
core's SHA unit, it is no more than one thread's.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import threading
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


def sha256_on_all_cores() -> None:
    """The machine's ceiling: as many bytes, shared out among one thread for each core."""
    count = os.cpu_count() or 1

    def hash_share() -> None:
        digest = hashlib.sha256()
        for _ in range(SIZE // len(BLOCK) // count):
            digest.update(BLOCK)

    threads = [threading.Thread(target=hash_share) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


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
        actions: dict[str, Callable[[], object]] = {
            "hashlib.sha256 over the file": lambda: sha256_of_file(one),
            "hashlib.sha256 over memory": sha256_of_memory,
            "the same on all cores": sha256_on_all_cores,
            "manifest, one file": lambda: read_manifest(one),
            "manifest, eight files": lambda: read_manifest(eight),
        }
        rows: dict[str, list[float]] = {label: [] for label in actions}
        for _ in range(RUNS):
            for label, action in actions.items():
                rows[label].append(timed(action))
    alone = rows["hashlib.sha256 over the file"]
    print(f"1 GiB, {os.cpu_count()} cores, median of {RUNS} runs, speed against the first row")
    for label, each in rows.items():
        ratio = statistics.median(a / b for a, b in zip(alone, each, strict=True))
        print(f"  {label:<30} {statistics.median(each):.3f} s  {ratio:.2f} x")


if __name__ == "__main__":
    main()
