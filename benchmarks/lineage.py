"""Walking the graph: ancestors and descendants among a million edges, by how many they are.

The graph is made of families. In a growing one each step takes a model and a data set of its own
and makes a model, from which three steps go on; a merging one is the same with all edges the other
way, so that one model has as many ancestors. Every artifact has its row in the index of content,
every tenth model lies in a folder too. SQLite in a file, and PostgreSQL where there is one; rows
are put in past the ledger, for it is reading that is measured. Medians of nine.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from samples.databases import postgresql_database, why_no_postgresql

from tidegate.ledger import Ledger, schema
from tidegate.ledger.lineage import ancestors, descendants

EDGES = 1_000_000
SIZES = (50, 500, 5_000)
"""Steps of a family; it has three edges for each."""
ROUNDS = 9


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_DATA_HOME"] = name
        measure("SQLite", f"sqlite:///{name}/lineage.db")
        if reason := why_no_postgresql():
            print(f"PostgreSQL: left out, {reason}")
            return
        with postgresql_database() as url:
            measure("PostgreSQL", url)


def measure(database: str, url: str) -> None:
    Ledger.open(url).close()
    count = fill(url)
    print(f"{database}: {count:,} edges")
    with Ledger.open(url, migrate=False) as ledger:
        for growing, size in itertools.product((True, False), SIZES):
            start = digest(growing, size, 0, "model", 0)
            walk = descendants if growing else ancestors
            reach, times, cpu = 0, [], []
            for _ in range(ROUNDS):
                begun, spent = time.perf_counter(), time.process_time()
                reach = sum(1 for _ in walk(ledger, start))
                times.append(1000 * (time.perf_counter() - begun))
                cpu.append(1000 * (time.process_time() - spent))
            print(
                f"  {walk.__name__:<12} {reach:>7,} reached: median "
                f"{statistics.median(times):6.1f} ms, worst {max(times):6.1f} ms, "
                f"CPU here {statistics.median(cpu):6.1f} ms"
            )
    for families in (1, 1_000):
        code = (
            "import sys; sys.path.insert(0, 'benchmarks'); import lineage;"
            f"lineage.memory({url!r}, {families})"
        )
        root = Path(__file__).parents[1]
        subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def memory(url: str, families: int) -> None:
    """In a process of its own: what a walk adds to the memory that was taken before it."""
    with Ledger.open(url, migrate=False) as ledger:
        sum(1 for _ in descendants(ledger, digest(True, SIZES[0], 0, "model", 0)))
        before = most_memory()
        roots = [digest(True, size, n, "model", 0) for n in range(families) for size in SIZES]
        begun = time.perf_counter()
        reach = sum(1 for _ in descendants(ledger, roots))
        spent = time.perf_counter() - begun
        after = most_memory()
    print(f"  memory for {reach:>7,} reached: {after - before:.1f} MiB more ({spent:.1f} s)")


def most_memory() -> float:
    """The most that this process has had, in MiB. `ru_maxrss` would also tell of its parent."""
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    return int(line.split()[1]) / 1024


def fill(url: str) -> int:
    """Put the graph in; how many edges it has."""
    engine = sqlalchemy.create_engine(url)
    count = 0
    edges = itertools.islice(all_edges(), EDGES)
    with engine.begin() as connection:
        while page := list(itertools.islice(edges, 20_000)):
            count += len(page)
            connection.execute(
                schema.edge.insert(),
                [{"source": s, "target": t, "role": r, "name": "x"} for s, t, r in page],
            )
            digests = {each for s, t, _ in page for each in (s, t) if each.startswith("sha256:")}
            rows = [
                {"sha256": each.removeprefix("sha256:"), "alone": 1, "digest": each}
                for each in digests
            ]
            rows += [
                {**row, "alone": 0, "digest": f"sha256:{row['sha256'][::-1]}"}
                for row in rows
                if row["sha256"].startswith(("0", "1"))
            ]
            insert = sqlalchemy.text(
                "INSERT INTO tidegate_content VALUES (:sha256, :alone, :digest) "
                "ON CONFLICT DO NOTHING"
            )
            connection.execute(insert, rows)
    if engine.dialect.name == "postgresql":
        # What its autovacuum does by itself after a while.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE tidegate_edge")
            connection.exec_driver_sql("VACUUM ANALYZE tidegate_content")
    engine.dispose()
    return count


def all_edges() -> Iterator[tuple[str, str, str]]:
    """Families of every size, one growing and one merging in turn, without end."""
    for number in itertools.count():
        for size, growing in itertools.product(SIZES, (True, False)):
            for step in range(size):
                node = f"step:{digest(growing, size, number, 'step', step)[7:39]}"
                model = digest(growing, size, number, "model", step + 1)
                data = digest(growing, size, number, "data", step)
                base = digest(growing, size, number, "model", step // 3)
                drawn = [(base, node, "base"), (data, node, "data"), (node, model, "output")]
                yield from drawn if growing else ((t, s, r) for s, t, r in drawn)


def digest(*parts: object) -> str:
    """A root digest that follows from a name."""
    return f"sha256:{hashlib.sha256(repr(parts).encode()).hexdigest()}"


if __name__ == "__main__":
    main()
