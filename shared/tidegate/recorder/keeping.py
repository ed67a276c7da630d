"""Putting a step on record, and what to do where the ledger is away.

A step is recorded when hours of work are done. So by default a ledger that can't be reached costs
a warning that says what to do, and not the work; `strict` turns it into an error. Always holds:
what is not on record is said; nothing here takes a step for recorded that the ledger did not take.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tidegate.attestation.step import Step
from tidegate.errors import AccessRefusedError, TidegateError, UsageError

if TYPE_CHECKING:
    from tidegate.ledger import Ledger, RemoteLedger

    AnyLedger = Ledger | RemoteLedger


class UnrecordedStepWarning(UserWarning):
    """A step is not on record; the work itself went on."""


class Spool(Protocol):
    """Where a step waits until the ledger is back."""

    def __call__(self, step: Step, ledger: str | None) -> str:
        """Keep the step on this machine; a sentence that says where, and how it gets on record.

        Raises:
            TidegateError: it can't be kept here either.
        """


@contextmanager
def opened(ledger: str | AnyLedger | None) -> Iterator[AnyLedger]:
    """The ledger that is given, or the one of the settings; one that is opened is closed again.

    Raises:
        LedgerUnavailableError: it can't be reached.
    """
    from tidegate.ledger import open_ledger

    if ledger is not None and not isinstance(ledger, str):
        yield ledger
        return
    with open_ledger(_url_of(ledger)) as opened_here:
        yield opened_here


def _url_of(ledger: str | None) -> str:
    from tidegate.settings import read_settings

    return ledger.removeprefix("tidegate+") if ledger else read_settings().ledger_url()


def keep_in_spool(step: Step, ledger: str | None) -> str:
    """Keep a step in this user's spool, for the ledger of a URL or of the settings."""
    from tidegate.ledger.opening import shown_url
    from tidegate.ledger.spool import keep_step

    keep_step(step, ledger=shown_url(_url_of(ledger)))
    return "It waits in the spool: `tidegate ledger spool flush`, when the ledger is back."


spool: Spool | None = keep_in_spool
"""What keeps steps that the ledger could not take. None: they are in memory alone."""


def keep_for_later(step: Step | None, name: str, ledger: object, problem: Exception) -> str:
    """Keep what the ledger did not take, where anything can; what to tell a person about it."""
    said = problem.explain() if isinstance(problem, TidegateError) else _fault(problem)
    text = f"The step {name!r} is not on record: {said}"
    if step is None:
        return text
    refused = isinstance(problem, UsageError) and not isinstance(problem, AccessRefusedError)
    if spool is None or refused:
        return (
            f"{text}\n  What it wrote is as it was left. Run the step again when the ledger is "
            "back, or call record() on it while this program still runs."
        )
    try:
        where = ledger if isinstance(ledger, str) else getattr(ledger, "url", None)
        return f"{text}\n  {spool(step, where)}"
    except TidegateError as error:
        return f"{text}\n  It can't be kept on this machine either: {error.explain()}"


def _fault(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}\n  This is a fault of Tidegate."


def _callers_level() -> int:
    """How far up from `warn` the code is that is not of this package."""
    frame, level = sys._getframe(1), 1  # noqa: SLF001 - as warnings.warn does itself
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("tidegate."):
        frame, level = frame.f_back, level + 1
    return level


def warn(text: str, error: BaseException | None = None) -> None:
    """Say it where the caller's program says its warnings.

    Where warnings are made errors and `error` is on its way, it is added to that one instead,
    which must go on as it is.
    """
    try:
        warnings.warn(text, UnrecordedStepWarning, stacklevel=_callers_level())
    except UnrecordedStepWarning:
        if error is None:
            raise
        error.add_note(text)
