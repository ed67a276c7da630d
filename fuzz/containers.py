"""Fuzz the readers of every other format: `python fuzz/containers.py --seconds 1800 SEED…`.

Each SEED is a file, or a folder of files, that a library wrote honestly; without any, small ones
are made of what the standard library and numpy write. They are cut, flipped, spliced with each
other and given lying numbers, and read by the whole dispatcher under another name. Always asked:
no exception escapes, no file takes longer than `SLOW` seconds of processor time, and memory stays
bounded. Finds are written to `--finds`.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import lzma
import random
import resource
import struct
import sys
import tarfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tidegate.scanners import registry
from tidegate.scanners.dispatch import scan_file
from tidegate.scanners.interface import Limits, Report

MEMORY = 1 << 30
SLOW = 20.0
LARGEST = 2 << 20
NAMES = ("a", "a.bin", "a.json", "a.txt", "a.yaml", "config.json", "a.pb", "a.onnx", "MLmodel")
LIES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1)


def small_seeds() -> Iterator[bytes]:
    """Files of the formats for which nothing must be installed."""
    yield b'{"a": [1, 2.5, null, "x"], "b": {"c": true}}'
    yield b"<?xml version='1.0'?><PMML><Header/></PMML>"
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    yield struct.pack("<Q", len(header)) + header + bytes(8)
    array = io.BytesIO()
    np.save(array, np.arange(6).reshape(2, 3))
    yield array.getvalue()
    archive = io.BytesIO()
    np.savez_compressed(archive, a=np.arange(6), b=np.ones(3))
    yield archive.getvalue()
    for mode in ("w", "w:gz", "w:xz"):
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode=mode) as tar:
            info = tarfile.TarInfo("folder/a.npy")
            info.size = len(array.getvalue())
            tar.addfile(info, io.BytesIO(array.getvalue()))
        yield target.getvalue()
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w", zipfile.ZIP_DEFLATED) as outer:
        outer.writestr("inner.zip", archive.getvalue())
        outer.writestr("a.json", b'{"x": 1}')
    yield nested.getvalue()
    for compress in (gzip.compress, bz2.compress, lzma.compress, zlib.compress):
        yield compress(array.getvalue())


def seeds_at(places: list[Path]) -> list[bytes]:
    """The files at the places, those that are not too large."""
    paths = [
        path for place in places for path in ([place] if place.is_file() else place.rglob("*"))
    ]
    return [p.read_bytes() for p in paths if p.is_file() and 0 < p.stat().st_size <= LARGEST]


def mutated(source: random.Random, seeds: list[bytes]) -> bytes:
    """One seed, changed in one to eight ways."""
    data = bytearray(source.choice(seeds))
    for _ in range(source.randint(1, 8)):
        at = source.randrange(len(data) + 1)
        length = min(source.choice((1, 2, 4, 8, 64, 4096)), len(data) - at)
        way = source.randrange(7)
        if way == 0 and data:
            data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        elif way == 1:
            del data[at:]
        elif way == 2:
            del data[at : at + length]
        elif way == 3:
            data[at:at] = data[at : at + length] * source.choice((1, 2, 50))
        elif way == 4:
            width = source.choice((1, 2, 4, 8))
            value = source.choice(LIES) & ((1 << 8 * width) - 1)
            data[at : at + width] = value.to_bytes(width, source.choice(("little", "big")))
        elif way == 5:
            other = source.choice(seeds)
            begin = source.randrange(len(other))
            data[at : at + length] = other[begin : begin + length]
        else:
            data += source.choice(seeds)[:LARGEST]
        del data[2 * LARGEST :]
    return bytes(data)


def read(data: bytes, name: str) -> tuple[str | None, tuple[str, ...]]:
    """What went wrong with reading it, if anything, and the formats that were told."""
    begun = time.process_time()
    try:
        told = scan_file(io.BytesIO(data), len(data), name, Report(Limits()), Limits())
    except RecursionError:
        return "nests too deep for the reader", ()
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {error}", ()
    spent = time.process_time() - begun
    return (f"took {spent:.1f} s" if spent > SLOW else None), told


def main() -> int:
    """Run until the time is over; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=Path, nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--finds", type=Path, default=Path("fuzz-finds"))
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(48)
    source = random.Random(seed)
    seeds = seeds_at(options.seeds) if options.seeds else list(small_seeds())
    registry.preload()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    formats: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    begun, count, shown = time.monotonic(), 0, 0.0
    while (spent := time.monotonic() - begun) < options.seconds:
        if spent - shown >= 60:
            shown = spent
            print(f"{count} files in {spent:.0f} s, {reasons.total()} finds", flush=True)
        data, name = mutated(source, seeds), source.choice(NAMES)
        why, told = read(data, name)
        count += 1
        formats.update(told)
        if why is not None:
            reasons[why] += 1
            if reasons[why] == 1:
                options.finds.mkdir(exist_ok=True)
                find = options.finds / f"{len(reasons):04d}-{name}"
                find.write_bytes(data)
                print(f"seed {seed}, file {count}, {find}: {why}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{count} files of {len(seeds)} seeds in {spent:.0f} s, {reasons.total()} finds, "
          f"peak {peak} MB, seed {seed}")  # fmt: skip
    print(", ".join(f"{name} {times}" for name, times in formats.most_common()))
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
