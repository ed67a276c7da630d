"""Putting a step on record, and what to do where the ledger is away.

A step is recorded when hours of work are done. So by default a ledger that can't be reached costs
a warning that says what to do, and not the work: the step waits in this machine's spool. `strict`
turns it into an error. Always holds: what is not on record is said; nothing here takes a step for
recorded that the ledger did not take.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tidegate.attestation.step import Step
from tidegate.errors import AccessRefusedError, TidegateError, UsageError

if TYPE_CHECKING:
    from tidegate.ledger import Ledger, RemoteLedger

    AnyLedger = Ledger | RemoteLedger


class UnrecordedStepWarning(UserWarning):
    """A step is not on record; the work itself went on."""


@contextmanager
def opened(ledger: str | AnyLedger | None) -> Iterator[AnyLedger]:
    """The ledger that is given, or the one of the settings; one that is opened is closed again.

    Args:
        ledger: a ledger, its URL, or the address of a console.

    Raises:
        LedgerUnavailableError: it can't be reached.
        AccessRefusedError: the console wants another token.
    """
    from tidegate.ledger import open_ledger

    if ledger is not None and not isinstance(ledger, str):
        yield ledger
        return
    with open_ledger(_url_of(ledger)) as opened_here:
        yield opened_here


def keep_for_later(
    step: Step | None,
    name: str,
    ledger: str | AnyLedger | None,
    problem: Exception,
) -> str:
    """Keep what the ledger did not take, where it could take it later; what to tell a person."""
    from tidegate.ledger.spool import keep_step

    said = problem.explain() if isinstance(problem, TidegateError) else _fault(problem)
    text = f"The step {name!r} is not on record: {said}"
    refused = isinstance(problem, UsageError) and not isinstance(problem, AccessRefusedError)
    if step is None or refused:
        return text
    try:
        keep_step(step, ledger=_address_of(ledger))
    except TidegateError as error:
        return (
            f"{text}\n  It can't be kept on this machine either: {error.explain()}\n"
            "  What it wrote is as it was left. Call record() on the step while this program "
            "still runs, or run it again."
        )
    return (
        f"{text}\n  It waits on this machine: `tidegate ledger spool flush` records it when the "
        "ledger is back."
    )


def _url_of(ledger: str | None) -> str:
    from tidegate.settings import read_settings

    return ledger.removeprefix("tidegate+") if ledger else read_settings().ledger_url()


def _address_of(ledger: str | AnyLedger | None) -> str:
    """What the ledger calls itself, so that it finds what waits for it; no password is in it."""
    from tidegate.ledger.opening import shown_url

    if ledger is not None and not isinstance(ledger, str):
        return ledger.url
    return shown_url(_url_of(ledger))


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
