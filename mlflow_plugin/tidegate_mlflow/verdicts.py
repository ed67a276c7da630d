"""What stands on record for bytes, from memory where nothing has been recorded since.

Before each answer the ledger is asked for the number of its newest statement, one look into an
index; only where that has moved is anything read anew. Always holds: no answer is older than the
newest recall, review, waiver or registration, and one that rests on a waiver ends with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

from tidegate.gate import Gate
from tidegate.ledger.said import CYCLONEDX, REGISTRATION, TEST_RESULT, VSA
from tidegate.policy import Action, Decision

_ABOUT_ONE_DIGEST = frozenset({VSA, TEST_RESULT, CYCLONEDX, REGISTRATION})
"""What says nothing about any other bytes than its own. All else lets every answer be made anew."""
_ABOUT_WHAT_CAME_OF_IT = frozenset({TEST_RESULT, CYCLONEDX})
"""Of these that is so only where nothing is known to come from anything: a base may be held now, or
have a package that is recalled, and then so is what was made from it."""
_LONGEST = 60.0
"""Seconds for which an answer stands at most: policies may go by the time of day."""

_looked: ContextVar[int | None] = ContextVar("tidegate_looked", default=None)


@dataclass(frozen=True, slots=True)
class _Answer:
    decision: Decision
    until: float
    """On the monotonic clock."""


class Verdicts:
    """Decisions about loading, by digest and name. Thread-safe; one serves a process."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._answers: dict[tuple[str, str], _Answer] = {}
        self._statement = -1
        self._changing = threading.Lock()

    def look(self, *, anew: bool = False) -> int:
        """See what is new in the ledger; the number of its newest statement.

        Args:
            anew: ask even where this context has just asked, since time has passed.

        Raises:
            OperatorError: the ledger can't be read.
        """
        newest = _looked.get()
        if newest is None or anew or newest < self._statement:
            newest = self.gate.ledger.newest_statement()
        if newest != self._statement:
            with self._changing:
                self._forget(newest)
        return newest

    @contextmanager
    def looking(self, newest: int) -> Iterator[None]:
        """Within the block, this context has looked already: it is one request."""
        token = _looked.set(newest)
        try:
            yield
        finally:
            _looked.reset(token)

    def of(self, digest: str, subject: str) -> Decision:
        """The decision that stands about loading these bytes; `look` first.

        Raises:
            RecordNotFoundError: nothing is on record about them.
            OperatorError: the ledger can't be read or written.
        """
        key = (digest, subject)
        standing = self._answers.get(key)
        if standing is not None and time.monotonic() < standing.until:
            return standing.decision
        seen, now = self._statement, time.monotonic()
        decision = self.gate.standing_of(digest, Action.LOAD, subject=subject)
        answer = _Answer(decision, now + self._seconds(digest))
        with self._changing:
            # What came meanwhile may have been about this.
            if seen == self._statement:
                self._answers[key] = answer
        return decision

    def _seconds(self, digest: str) -> float:
        """How long an answer about a digest stands: until its next waiver ends."""
        now = datetime.now(UTC)
        ends = (waiver.expires_at for waiver in self.gate.ledger.waivers_for(digest))
        return min([_LONGEST, *((end - now).total_seconds() for end in ends if end > now)])

    def _forget(self, newest: int) -> None:
        """Drop the answers that the statements since the last look may change."""
        if newest < self._statement:
            # Another thread's look may have been newer.
            newest = self.gate.ledger.newest_statement()
        if newest < self._statement or self._statement < 0:
            # The first look, or a ledger that is shorter than it was.
            self._answers.clear()
        else:
            news = self.gate.ledger.statements_after(self._statement)
            kinds = {kind for kind, _ in news}
            if kinds - _ABOUT_ONE_DIGEST or (
                kinds & _ABOUT_WHAT_CAME_OF_IT and self.gate.ledger.has_steps()
            ):
                self._answers.clear()
            digests = {digest for _, digest in news}
            for key in [key for key in self._answers if key[0] in digests]:
                del self._answers[key]
        self._statement = newest
