"""How fast a feed of the size of OSV's for PyPI is taken over, and packages are held against it.

20,000 records about 8,000 packages in a zip, some 60 MB unfolded: read, kept in an empty ledger on
SQLite, and brought up to date by 50 changed records. Then an audit of 200 packages, and 116,000
distinct versions (as many as 10,000 SBOMs of 200 components have) against all records.

    python benchmarks/advisories.py
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from samples.advisory_feeds import record

from tidegate.dependencies import Component, match
from tidegate.dependencies.feed_files import read_feed
from tidegate.ledger import Ledger, advisories

RECORDS, PACKAGES, COMPONENTS, CHANGED, ASKED = 20_000, 8_000, 116_000, 50, 200
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def version(dice: random.Random) -> str:
    return f"{dice.randrange(6)}.{dice.randrange(20)}.{dice.randrange(10)}"


def write(path: Path, *, changed: int) -> None:
    dice = random.Random(1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(RECORDS):
            one: dict[str, Any] = record(
                f"PYSEC-{number}", f"package-{dice.randrange(PACKAGES)}", version(dice)
            )
            one["affected"][0]["versions"] = [version(dice) for _ in range(30)]
            one["details"] = "What is wrong, and what comes of it. " * 60
            if number < changed:
                one["modified"] = "2024-05-02T00:00:00Z"
            archive.writestr(f"{one['id']}.json", json.dumps(one))


def timed(what: str, do: Callable[[], Any]) -> Any:
    begun = time.perf_counter()
    result = do()
    print(f"{what + ':':<58} {time.perf_counter() - begun:7.3f} s")
    return result


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first.zip"), Path(folder, "second.zip")
        write(first, changed=0)
        write(second, changed=CHANGED)
        with Ledger.open(f"sqlite:///{folder}/ledger.db") as ledger:

            def keep(content: Any) -> advisories.Change:
                return advisories.keep(ledger, "osv", content, location=str(first), now=NOW)

            content = timed(
                f"{RECORDS} records read from the zip", lambda: read_feed(first, name="osv")
            )
            timed("kept in an empty ledger", lambda: keep(content))
            newer = read_feed(second, name="osv")
            change = timed(f"brought up to date by {CHANGED} records", lambda: keep(newer))
            assert change == advisories.Change(0, CHANGED, 0)
            dice = random.Random(2)
            components = [
                Component("PyPI", f"package-{dice.randrange(PACKAGES)}", version(dice))
                for _ in range(COMPONENTS)
            ]

            def against_all(some: list[Component]) -> int:
                known = advisories.advisories_for(ledger, {("PyPI", c.name) for c in some})
                return sum(len(match(c, known.about("PyPI", c.name))) for c in some)

            for _ in range(2):
                timed(
                    f"{ASKED} packages, asked for and held against them",
                    lambda: against_all(components[:ASKED]),
                )
            found = timed(f"{COMPONENTS} versions against all", lambda: against_all(components))
            print(f"{found} matches")


if __name__ == "__main__":
    main()
