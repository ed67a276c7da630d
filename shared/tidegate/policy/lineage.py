"""What the ledger knows of an artifact beyond evidence, as far as it can hold the artifact.

Three things come from where an artifact came from: a recall in force that reaches it, a base model
that is held, and what the chain that a policy demands lacks. They are found in the ledger's graph
and given to the decision as one value, which the decision keeps: replayed, it sees the same.

Always holds: each carries fingerprints of its own, bound to that recall, to what holds that base,
to that gap; a review or waiver that lets one go lets nothing else go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tidegate.scanners.interface import Severity

# A way of many steps is told by its two ends.
_TOLD = 4
_BY_CONTENT = {
    "put into": "which holds the file",
    "same content": "with the bytes of",
    "taken from": "taken out of",
}


@dataclass(frozen=True, slots=True)
class Hop:
    """One step back from an artifact: who made it, when, and from which input.

    `role` and `name` are the input's, or "" for the step itself. `step` is None where none lies
    between; `role` then says how they share bytes: "put into", "same content", "taken from".
    """

    step: str | None
    at: str
    role: str
    name: str

    def told(self) -> str:
        """As it stands in a message: "through step train of 2026-11-20 from data train.csv"."""
        if self.step is None:
            return f"{_BY_CONTENT.get(self.role, self.role)} {self.name}"
        source = " ".join(part for part in (self.role, self.name) if part)
        day = f" of {self.at[:10]}" if self.at else ""
        return f"through step {self.step}{day}" + (f" from {source}" if source else "")


def told(way: tuple[Hop, ...]) -> str:
    """A way as it stands in a message, from the artifact back; its middle left out if long."""
    parts = [hop.told() for hop in way]
    if len(parts) > _TOLD:
        parts = [*parts[: _TOLD // 2], "… more …", *parts[-(_TOLD // 2) :]]
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class RecallReach:
    """A recall in force that reaches an artifact.

    `target` is what was recalled: a digest, or "name==version" of a package. `name` is what it
    was called by whoever recalled it. `way` leads back from the artifact to what was recalled; it
    is empty where that is the artifact itself.
    """

    id: int
    target: str
    name: str
    actor: str
    reason: str
    recalled_at: datetime
    way: tuple[Hop, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Bound to this recall, whichever way it reaches the artifact by."""
        return short_hash("recall", str(self.id), self.target, self.recalled_at.isoformat())


@dataclass(frozen=True, slots=True)
class HeldBase:
    """A base model that is held, or what it was made from in turn.

    `severity` is that of its gravest ground, `denies` whether one of them denies. `fingerprints`
    name every ground: the child is let go by who has seen them all. `why` are the rules.
    """

    digest: str
    name: str
    severity: Severity
    denies: bool
    fingerprints: tuple[str, ...]
    why: tuple[str, ...]
    way: tuple[Hop, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that the demanded chain lacks. `about` is what its fingerprint is bound to."""

    rule: str
    place: str
    message: str
    remedy: str
    about: str

    @property
    def fingerprint(self) -> str:
        """Bound to what is missing where."""
        return short_hash("gap", self.rule, self.about)


@dataclass(frozen=True, slots=True)
class Lineage:
    """All of that about one artifact. Empty where nothing of it holds the artifact."""

    recalls: tuple[RecallReach, ...] = ()
    bases: tuple[HeldBase, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything that holds."""
        return bool(self.recalls or self.bases or self.gaps)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Those of everything in it."""
        found = [each.fingerprint for each in self.recalls]
        found += [each for base in self.bases for each in base_fingerprints(base)]
        found += [each.fingerprint for each in self.gaps]
        return tuple(dict.fromkeys(found))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` is its inverse."""
        return {
            "recalls": [
                {**asdict(each), "recalled_at": each.recalled_at.isoformat()}
                for each in self.recalls
            ],
            "bases": [{**asdict(each), "severity": each.severity.label} for each in self.bases],
            "gaps": [asdict(each) for each in self.gaps],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Lineage:
        """Read what `to_dict` wrote; KeyError, TypeError or ValueError where it is not that."""
        return cls(
            tuple(
                RecallReach(
                    **{
                        **each,
                        "recalled_at": datetime.fromisoformat(each["recalled_at"]),
                        "way": _way(each["way"]),
                    }
                )
                for each in data["recalls"]
            ),
            tuple(
                HeldBase(
                    **{
                        **each,
                        "severity": Severity.from_label(each["severity"]),
                        "fingerprints": tuple(each["fingerprints"]),
                        "why": tuple(each["why"]),
                        "way": _way(each["way"]),
                    }
                )
                for each in data["bases"]
            ),
            tuple(Gap(**each) for each in data["gaps"]),
        )


NO_LINEAGE = Lineage()


def base_fingerprints(base: HeldBase) -> tuple[str, ...]:
    """The grounds of a base as its child's reviewer sees them: no approval of the one is the other.

    The same finding in the child's own bytes has another fingerprint than this.
    """
    return tuple(short_hash("base", base.digest, each) for each in base.fingerprints)


def short_hash(*parts: str) -> str:
    """A short stable name of what the parts say together."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def _way(rows: list[Mapping[str, str]]) -> tuple[Hop, ...]:
    return tuple(Hop(**row) for row in rows)
