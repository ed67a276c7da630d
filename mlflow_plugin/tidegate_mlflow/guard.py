"""The guard over the server's artifacts: what is held is not served, what is registered stays.

It answers from memory: which places are registered, and what stands on record for their bytes.
Always holds: it has seen every registration up to the newest statement of the ledger before it
answers, and where the ledger can't be asked, nothing is served or written.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from mlflow.exceptions import MlflowException

from tidegate.errors import TidegateError
from tidegate.ledger.records import Registration
from tidegate.policy import Mode
from tidegate.policy.explain import printable
from tidegate_mlflow import answers, kept, review_links
from tidegate_mlflow.guarded_places import GuardedPlaces, Refusal, Registered, Use
from tidegate_mlflow.verdicts import Verdicts

_log = logging.getLogger(f"mlflow.{__name__}")

_STORE = "mlflow:"
_DONE = {Use.READ: "read", Use.WRITE: "write to", Use.SWEEP: "delete or overwrite"}


class Guard:
    """The guard of one server process. Thread-safe.

    Args:
        verdicts: what stands on record.
        places_of: every place that a location in a workspace stands for.
        alive: whether any of these versions still stands in the registry.
        asking: who asks, where that is known.
    """

    def __init__(
        self,
        verdicts: Verdicts,
        places_of: Callable[[str, str], tuple[str, ...]],
        alive: Callable[[tuple[Registered, ...]], bool],
        asking: Callable[[], str | None],
    ) -> None:
        self.verdicts = verdicts
        self._gate = verdicts.gate
        self._places_of = places_of
        self._alive = alive
        self._asking = asking
        self._places = GuardedPlaces()
        self._statement = -1
        self._registration = 0
        self._changing = threading.Lock()

    def look(self, *, anew: bool = False) -> int:
        """See what is new in the ledger; the number of its newest statement.

        Raises:
            OperatorError: the ledger can't be read.
        """
        newest = self.verdicts.look(anew=anew)
        if newest != self._statement:
            with self._changing:
                if newest != self._statement:
                    self._catch_up(newest)
        return newest

    def require(self, use: Use, asked: Iterable[str], *, anew: bool = False) -> None:
        """Return where a request may do what it is about to; otherwise raise the refusal.

        Args:
            use: what it is about to do.
            asked: every place that its path may mean.
            anew: look even where this request has looked: time has passed since.

        Raises:
            MlflowException: 403 with the reason, or another 4xx where nothing can be decided.
        """
        try:
            # What a request's first look saw may be old by the time that an upload has arrived.
            self.look(anew=anew or use is not Use.READ)
            refusal = self._places.judge(use, asked, held=self._held, alive=self._alive)
            if refusal is not None:
                self._refuse(refusal)
        except MlflowException:
            raise
        except Exception as error:  # no flaw of ours may let bytes through
            raise answers.translated(error) from error

    def _refuse(self, refusal: Refusal) -> None:
        """403, or in audit mode a line in the log."""
        registered = refusal.registered
        subject = printable(registered.subject) if registered else "the gate's own copies"
        _log.warning(
            "Tidegate refused %s to %s %s (%s).",
            printable(self._asking() or "somebody"),
            _DONE[refusal.use],
            printable(refusal.place),
            subject,
        )
        if self._gate.policy.mode is Mode.AUDIT and registered is not None:
            return
        raise answers.refused(self._reason(refusal, subject))

    def _reason(self, refusal: Refusal, subject: str) -> str:
        registered = refusal.registered
        if registered is None:
            return (
                "Tidegate: this folder holds the gate's own copies of what it has let pass, and "
                "is written by the gate alone."
            )
        if not refusal.held:
            return (
                f"Tidegate: {subject} is registered with these bytes, and what is registered is "
                "neither changed nor deleted: it is what was scanned. Log the model anew and "
                "register that as a new version. To remove these files, delete the version first."
            )
        if registered.digest is None:
            explained = (
                f"Tidegate: {subject} was never read in full, so there is no evidence for it and "
                "its files are held. Register the model again."
            )
        else:
            decision = self.verdicts.of(registered.digest, registered.subject)
            explained = review_links.for_the_asker(decision).explain()
        if refusal.use is Use.READ:
            return explained
        return f"Tidegate: what is held stays as it is for its review. {explained}"

    def _held(self, registered: Registered) -> bool:
        if registered.digest is None:
            return self._gate.policy.mode is not Mode.AUDIT
        return not self.verdicts.of(registered.digest, registered.subject).allowed

    def _catch_up(self, newest: int) -> None:
        """Read the registrations since the last look; to be called under the lock.

        Others answer from what is known meanwhile, so that is only ever added to, or exchanged
        when all of it has been read.
        """
        if newest < self._statement:
            # Another thread's look was newer, or the ledger is shorter than it was.
            newest = self._gate.ledger.newest_statement()
        known, last = self._places, self._registration
        if newest < self._statement:
            _log.error("The ledger is shorter than it was; the guard reads all of it again.")
            known, last = GuardedPlaces(), 0
        for each in self._gate.ledger.registrations_after(last):
            if each.store.startswith(_STORE):
                self._add(known, each)
            last = each.id
        self._places, self._registration, self._statement = known, last, newest

    def _add(self, known: GuardedPlaces, row: Registration) -> None:
        registered = Registered(
            row.id,
            row.store.removeprefix(_STORE),
            row.name,
            row.version,
            row.created_ms,
            row.digest,
        )
        for location in kept.locations_of(row.source, row.digest):
            try:
                found = self._places_of(location, registered.workspace)
            except (TidegateError, MlflowException, OSError, ValueError) as error:
                _log.warning(
                    "The guard can't tell where %s lies (%s), so it can't guard it: %s",
                    printable(registered.subject),
                    printable(location),
                    error,
                )
                continue
            for place in found:
                known.add(place, registered)
