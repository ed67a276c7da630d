"""The signed log: appending in batches and singly, verifying, and what memory verifying takes.

Each statement is signed with ed25519. Single appends are decisions as the gate records them: a
policy, manifest and evidence looked up or written, a decision and its statements, one transaction
each, with SQLite syncing the disk at every commit (synchronous=FULL). Beside them stands the same
file written to and synced without any of it, which is what this disk can do at most.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from samples.ledger_records import record

from tidegate.attestation import KeyList, SigningKey, Subject, TrustedKey
from tidegate.ledger import Ledger
from tidegate.ledger.audit import audit
from tidegate.ledger.log import Draft

STATEMENTS = 100_000
BATCH = 500
SINGLE = 400


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["XDG_DATA_HOME"] = name
        batches(root)
        singly(root)
        for count in (STATEMENTS // 10, STATEMENTS):
            verifying(root, count)


def batches(root: Path) -> None:
    with Ledger.open(f"sqlite:///{root}/batches.db") as ledger:
        start, cpu = time.perf_counter(), time.process_time()
        filled(ledger, 10_000)
        spent, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"appended in batches of {BATCH}: {10_000 / spent:,.0f} statements/s ({cpu:.1f} s CPU)")


def singly(root: Path) -> None:
    url = f"sqlite:///{root}/single.db"
    Ledger.open(url).close()
    engine = sqlalchemy.create_engine(url)
    sqlalchemy.event.listen(
        engine, "connect", lambda driver, _: driver.execute("PRAGMA synchronous = FULL")
    )
    ledger = Ledger.on_engine(engine)
    record(ledger, "warm")
    before = statements(ledger)
    start, cpu = time.perf_counter(), time.process_time()
    for number in range(SINGLE):
        record(ledger, f"{number}.pkl")
    spent, cpu = time.perf_counter() - start, time.process_time() - cpu
    each = (statements(ledger) - before) / spent
    engine.dispose()
    print(
        f"recorded singly, synced: {SINGLE / spent:,.0f} decisions/s, {each:,.0f} statements/s "
        f"({cpu:.1f} s CPU)"
    )
    start = time.perf_counter()
    with (root / "synced").open("wb") as file:
        for _ in range(SINGLE):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    print(f"  this disk: {SINGLE / (time.perf_counter() - start):,.0f} synced writes/s")


def verifying(root: Path, count: int) -> None:
    key = root / "key.pem"
    if not key.exists():
        SigningKey.generate().save(key)
    path = root / f"{count}.db"
    with Ledger.open(f"sqlite:///{path}", key=SigningKey.from_file(key)) as ledger:
        filled(ledger, count)
    # In a process of its own, whose memory is nobody else's.
    subprocess.run([sys.executable, __file__, "verify", str(path), str(key)], check=True)


def verify(path: str, key: str) -> None:
    keys = KeyList([TrustedKey(SigningKey.from_file(key).public, "benchmark")])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with Ledger.open_to_audit(f"sqlite:///{path}") as ledger:
        start, cpu = time.perf_counter(), time.process_time()
        report = audit(ledger, keys)
        spent, cpu = time.perf_counter() - start, time.process_time() - cpu
    assert not report.problem_count, report.problems[:3]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"verified {report.statements:,} statements in {spent:.1f} s ({cpu:.1f} s CPU), "
        f"memory {before:.0f} MB before, {peak:.0f} MB at most",
        flush=True,
    )


def filled(ledger: Ledger, count: int) -> None:
    drafts = [
        Draft(
            (Subject(f"model/{number}", f"sha256:{number:064x}"),),
            "https://slsa.dev/verification_summary/v1",
            {"verificationResult": "PASSED", "verifiedLevels": ["TIDEGATE_REGISTER"]},
        )
        for number in range(BATCH)
    ]
    for _ in range(count // BATCH):
        ledger.append(drafts)


def statements(ledger: Ledger) -> int:
    with ledger.reading() as connection:
        return int(
            connection.exec_driver_sql("SELECT count(*) FROM tidegate_statement").scalar_one()
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["verify"]:
        verify(*sys.argv[2:])
    else:
        main()
