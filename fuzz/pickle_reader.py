"""Fuzz the pickle reader: `python fuzz/pickle_reader.py --seconds 1800`.

Composes and mutates opcode streams and checks each by `samples.fuzzed_pickles.check`: nothing
escapes, nothing takes long, memory stays bounded, and whatever CPython's unpickler would import
the reader has seen. Finds are written to `--finds`; put those worth keeping, mended, into
`tests/samples/found_pickles.json`, which `make test` reads.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from samples.fuzzed_pickles import check, honest_streams, stream  # noqa: E402

MEMORY = 1 << 30
"""The address space that the whole run may use: what passes it is a find."""


def main() -> int:
    """Run until the time or the number of streams is reached; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--streams", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--finds", type=Path, default=Path("fuzz-finds"))
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(48)
    source = random.Random(seed)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    honest = honest_streams()
    begun, read, found, shown = time.monotonic(), 0, 0, 0.0
    while read < options.streams and (spent := time.monotonic() - begun) < options.seconds:
        if spent - shown >= 30:
            shown = spent
            print(f"{read} streams in {spent:.0f} s, {found} finds", flush=True)
        failure = check(stream(source, honest))
        read += 1
        if failure is not None:
            found += 1
            options.finds.mkdir(exist_ok=True)
            (options.finds / f"{found:04d}.pkl").write_bytes(failure.data)
            print(f"seed {seed}, stream {read}: {failure.why}\n  {failure.data!r}", flush=True)
            if found >= 50:
                break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    spent = time.monotonic() - begun
    print(f"{read} streams in {spent:.0f} s, {found} finds, peak {peak} MB, seed {seed}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
