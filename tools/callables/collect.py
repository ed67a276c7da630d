"""Seeing which callables honest pickles of a library use, by writing and reading them.

Each object is pickled in every protocol, by cloudpickle and by joblib, and read by our own
symbolic reader; nothing is loaded. What is seen is merged into the library's allow-list, which
so grows over the versions it is run with. Whatever the lists call dangerous is never added.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import Version

from tidegate.scanners.callables import Standing, Use, judge
from tidegate.scanners.interface import Severity
from tidegate.scanners.pickle.streams import read_streams
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import Global, Value

ALLOWED = Path(__file__).resolve().parents[2] / "shared/tidegate/scanners/data/callables/allowed"

_REASONS = {
    Use.NAME: "referred to by models, as a parameter or a type",
    Use.MAKE: "an object of it is made without a call and given its state",
    Use.CALL: "rebuilds a part of an object when it is called",
}


class _Seen(Trace):
    """A trace that does not count what getattr and its like might do with what they are given."""

    def use(self, found: Global, use: Use, args: Value, offset: int, by: Value = None) -> None:
        """Record a use, but not by a callable that is held anyway."""
        if not (isinstance(by, Global) and by.judgement.standing is Standing.DANGEROUS):
            super().use(found, use, args, offset, by)


@dataclass
class Library:
    """One allow-list in the making. `prefixes` are the top-level modules that are its own."""

    file: str
    name: str
    distribution: str
    prefixes: tuple[str, ...]
    how: str
    spellings: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    gives: dict[str, str] = field(default_factory=dict)
    never: frozenset[str] = frozenset()
    most: dict[str, Use] = field(default_factory=dict)
    seen: dict[tuple[str, str], Use] = field(default_factory=dict)
    strangers: dict[str, Use] = field(default_factory=dict)

    def observe(self, value: object, label: str = "") -> None:
        """Pickle `value` in every way and note what the pickles use."""
        for data in pickles_of(value, label):
            self.observe_data(data, label)

    def observe_data(self, data: bytes, label: str = "") -> None:
        """Note what one pickle uses, of this library and of others."""
        trace = _Seen()
        outcome = read_streams(io.BytesIO(data), len(data), trace)
        if outcome.unread:
            print(f"  {label}: {outcome.unread}")
        for reference in trace.references.values():
            self.note(reference.module, reference.name, reference.use)
            stranger = reference.module.split(".", 1)[0] not in self.prefixes
            if (stranger and not reference.excused_always) and (
                reference.overused or reference.judgement.standing is not Standing.ALLOWED
            ):
                self.strangers[reference.path] = reference.use
        for note in trace.notes:
            if note.severity is not None and note.severity <= Severity.LOW:
                continue
            print(f"  {label}: {note.rule} {note.message}")

    def note(self, module: str, name: str, use: Use) -> None:
        """Put one callable on the list, if it is this library's and not dangerous."""
        if module.split(".", 1)[0] not in self.prefixes:
            return
        for prefix, other in self.spellings.items():
            if module == other or module.startswith(other + "."):
                module = prefix + module[len(other) :]
        path = f"{module}.{name}"
        if path in self.never:
            return
        judgement = judge(module, name)
        if judgement.standing is Standing.DANGEROUS:
            print(f"  left out, dangerous: {path} ({judgement.reason})")
            return
        self.seen[module, name] = max(use, self.seen.get((module, name), Use.NAME))

    def write(self) -> None:
        """Merge what was seen into the data file."""
        path = ALLOWED / self.file
        versions: set[str] = set()
        merged: dict[tuple[str, str], Use] = {}
        if path.exists():
            table = json.loads(path.read_text("utf-8"))
            versions = set(table["versions"])
            for row in table["callables"]:
                merged.update(
                    {(row["module"], name): Use[row["use"].upper()] for name in row["names"]}
                )
        for key, use in self.seen.items():
            merged[key] = max(use, merged.get(key, Use.NAME))
        versions.add(importlib.metadata.version(self.distribution).split("+")[0])
        table = {
            "schema": 1,
            "library": self.name,
            "versions": sorted(versions, key=Version),
            "how": self.how,
        }
        if self.spellings:
            table["spellings"] = self.spellings
        table["callables"] = self._rows(merged)
        text = json.dumps(table, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{self.file}: {len(merged)} callables")
        for stranger, use in sorted(self.strangers.items()):
            print(f"  of another library, on no list: {stranger} ({use.label})")

    def _rows(self, merged: dict[tuple[str, str], Use]) -> list[dict[str, Any]]:
        rows: dict[tuple[str, ...], dict[str, Any]] = {}
        for (module, name), use in sorted(merged.items()):
            if f"{module}.{name}" in self.never:
                continue
            path = f"{module}.{name}"
            most = min(use, self.most.get(path, use))
            reason = self.reasons.get(path, _REASONS[most])
            gives = self.gives.get(path)
            key = (module, most.label, reason, gives or "")
            row = rows.setdefault(
                key,
                {"module": module, "use": most.label, "reason": reason}
                | ({"gives": gives} if gives else {})
                | {"names": []},
            )
            row["names"].append(name)
        return [rows[key] for key in sorted(rows)]


def pickles_of(value: object, label: str = "") -> Iterable[bytes]:
    """The pickles of one object: protocols 0 to 5, cloudpickle, joblib."""
    import cloudpickle
    import joblib

    ways = [lambda p=p: pickle.dumps(value, p) for p in range(6)]
    ways.append(lambda: cloudpickle.dumps(value))

    def by_joblib() -> bytes:
        out = io.BytesIO()
        joblib.dump(value, out)
        return out.getvalue()

    ways.append(by_joblib)
    for number, way in enumerate(ways):
        try:
            yield way()
        except Exception as error:
            print(f"  {label} by way {number}: {type(error).__name__} {error}")
