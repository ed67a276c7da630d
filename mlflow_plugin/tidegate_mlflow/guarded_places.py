"""What the guard knows: which places hold registered bytes, and what follows for a request.

This is the decision alone: no database, no MLflow. Its rules:

1. Reading asks for the registration whose place is nearest above (or is) what is read, the newest
   of that place whose bytes were read. If they are held, they are not served.
2. Writing into a registered place, at any depth, is refused while a version of it is there, and
   also when its bytes are held: what waits for a review is not exchanged or thrown away.
3. Deleting or writing a whole folder is refused as well for a registered place within it.
4. The gate's own copies are written by the gate alone.

Always holds: a place that was never registered costs no more than looking up each folder above it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tidegate_mlflow import places

KEPT = "tidegate-kept"
"""The folder's name, within an experiment's, in which the gate keeps its copies."""


class Use(enum.Enum):
    """What a request is about to do with what lies at a place."""

    READ = "read"
    WRITE = "write"
    """One file."""
    SWEEP = "sweep"
    """A folder with all in it: deleting it, or writing over it."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One registration of a version, as the ledger has it."""

    number: int
    workspace: str
    name: str
    version: str
    created_ms: int
    digest: str | None

    @property
    def subject(self) -> str:
        """How decisions call the version."""
        plain = f"{self.name}/{self.version}"
        return plain if self.workspace == "default" else f"{self.workspace}:{plain}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused: bytes that are held, registered ones, or the gate's own."""

    use: Use
    place: str
    registered: Registered | None
    held: bool


@dataclass(slots=True)
class GuardedPlaces:
    """Every place with its registrations, the oldest first. Not safe to change while it is read."""

    _at: dict[str, tuple[Registered, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._at)

    def add(self, place: str, registered: Registered) -> None:
        """Note that a version's bytes lie at a place."""
        self._at[place] = (*self._at.get(place, ()), registered)

    def above(self, place: str) -> Iterator[tuple[str, tuple[Registered, ...]]]:
        """The registered places that hold a place, the nearest first."""
        for each in places.upwards(place):
            if found := self._at.get(each):
                yield each, found

    def within(self, place: str) -> Iterator[tuple[str, tuple[Registered, ...]]]:
        """The registered places beneath a place. Looks at all of them."""
        for each, found in list(self._at.items()):
            if each != place and places.is_within(each, place):
                yield each, found

    def judge(
        self,
        use: Use,
        asked: Iterable[str],
        *,
        held: Callable[[Registered], bool],
        alive: Callable[[tuple[Registered, ...]], bool],
    ) -> Refusal | None:
        """Whether a request that touches these places must be refused, by the rules above.

        Args:
            use: what it is about to do.
            asked: every place that its path may mean.
            held: whether the bytes of a registration may not be used.
            alive: whether any of these versions still stands in the registry.
        """
        for place in asked:
            if use is Use.READ:
                for at, found in self.above(place):
                    if held(ruling := _ruling(found)):
                        return Refusal(use, at, ruling, held=True)
                    break
                continue
            if _is_kept(place):
                return Refusal(use, place, None, held=False)
            touched = list(self.above(place))
            if use is Use.SWEEP:
                touched += self.within(place)
            for at, found in touched:
                if alive(found):
                    return Refusal(use, at, found[-1], held=False)
                if held(ruling := _ruling(found)):
                    return Refusal(use, at, ruling, held=True)
        return None


def _ruling(found: tuple[Registered, ...]) -> Registered:
    """The registration that a place is judged by: one that nobody could read outranks no other."""
    return next((each for each in reversed(found) if each.digest is not None), found[-1])


def _is_kept(place: str) -> bool:
    return KEPT in place.casefold().split("/")
