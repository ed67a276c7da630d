"""Who looks at the review pages, and what of the ledger that person may see.

Always holds: what is not allowed here is not shown: an admin sees all, a user the models that he
may read in the registry, and somebody unknown no more than a refusal has told in a terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tidegate.ledger.records import Registration


def _nobody_may_read(_: Registration) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person at the pages.

    `name` is None where the host tells nobody from anybody. `may_read` says whether this user may
    read a registered version. `sees_all` lets somebody look, and not decide.
    """

    name: str | None
    is_admin: bool = False
    may_read: Callable[[Registration], bool] = _nobody_may_read
    sees_all: bool = False

    @property
    def may_decide(self) -> bool:
        """Whether this person's word counts."""
        return self.is_admin and self.name is not None

    @property
    def may_list(self) -> bool:
        """Whether this person sees everything that is on record."""
        return self.sees_all or self.may_decide

    def readable(self, registrations: tuple[Registration, ...]) -> tuple[Registration, ...]:
        """Those registrations that this person may know of."""
        if self.may_list:
            return registrations
        return tuple(each for each in registrations if self.may_read(each))
