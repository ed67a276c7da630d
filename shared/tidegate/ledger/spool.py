"""What could not be sent: a folder of files that waits until the ledger is back.

    Spool.open().keep("evidence", message, ledger=url, key=key)
    Spool.open().flush(ledger)             # in order, each under its own idempotency key

    keep_step(step, ledger=url)            # a step whose ledger is away, in one call

Only what may wait goes here: steps, and evidence for a console. A decision never does, and nothing
that reads this folder takes what is in it for a record.

Always holds:

- An entry is whole or not there: written beside, synced, then moved to its name, the folder synced.
- It is removed only after the ledger has answered for it. A crash between the two sends it again,
  under the same key, and the ledger records it once.
- One process flushes at a time, in the order in which entries were kept.
- An entry that is cut off, altered or refused is moved to `set-aside/` with the reason beside it,
  and told of; nothing is dropped.
- The folder is its owner's alone, or it is not used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.errors import (
    AccessRefusedError,
    LedgerUnavailableError,
    OperatorError,
    TidegateError,
    UsageError,
)

if TYPE_CHECKING:
    from tidegate.attestation.step import Step
    from tidegate.ledger.ledger import Ledger
    from tidegate.ledger.remote import RemoteLedger

SPOOL = "TIDEGATE_SPOOL"
MAX_ENTRY = 64 << 20
_SET_ASIDE = "set-aside"
_NAME = re.compile(r"[0-9]{20}-[0-9a-f]{32}\.json", re.ASCII)
_KINDS = frozenset({"evidence", "step"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One write that waits: what kind, for which ledger, under which key, and what it says."""

    name: str
    kind: str
    ledger: str
    key: str
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SetAside:
    """An entry that will not be sent as it is, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """What is in the spool: how many entries wait for each ledger, and what was set aside."""

    folder: str
    waiting: tuple[tuple[str, int], ...]
    set_aside: tuple[SetAside, ...]


@dataclass(frozen=True, slots=True)
class Flushed:
    """What came of a flush. `stopped` says why the rest still waits."""

    sent: int
    set_aside: tuple[SetAside, ...]
    waiting: int
    stopped: str | None = None


class Spool:
    """A spool folder. Several processes may keep and flush at once."""

    def __init__(self, folder: Path) -> None:
        """Take the folder as it is; `open` makes it and looks at whose it is."""
        self.folder = folder

    @classmethod
    def open(cls, folder: str | os.PathLike[str] | None = None) -> Spool:
        """The spool in a folder, by default `TIDEGATE_SPOOL` or one in the user's data folder.

        Raises:
            OperatorError: it can't be made, or others may write to it.
        """
        place = Path(folder or os.environ.get(SPOOL) or _own_place())
        spool = cls(place)
        try:
            for each in (place, place / _SET_ASIDE):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
                _require_own(each)
        except OSError as error:
            raise spool._broken(error) from error
        return spool

    def keep(self, kind: str, message: dict[str, Any], *, ledger: str, key: str) -> str:
        """Put a write where it waits; the entry's name.

        What says the same as an entry that waits already is that one: a task that is tried again
        and again while the ledger is away is not recorded as often.

        Raises:
            OperatorError: it can't be written.
        """
        if kind not in _KINDS:
            raise UsageError(f"a {kind!r} can't wait in a spool")
        content = {"schema": 1, "kind": kind, "ledger": ledger, "key": key, "message": message}
        body = json.dumps(content, sort_keys=True).encode()
        if len(body) > MAX_ENTRY:
            raise OperatorError(f"the {kind} is larger than a spool's entry may be")
        data = hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"
        said = json.dumps([kind, ledger, message], sort_keys=True).encode()
        mark = hashlib.sha256(said).hexdigest()[:32]
        waiting = self._names()
        if (same := next((each for each in waiting if each[21:53] == mark), None)) is not None:
            return same
        # In the order of keeping, even where the clock was set back.
        last = int(waiting[-1][:20]) if waiting else 0
        name = f"{max(time.time_ns(), last + 1):020}-{mark}.json"
        draft = self.folder / f".{name}"
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self.folder / name)
            _sync(self.folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise self._broken(error) from error
        return name

    def status(self) -> Status:
        """What waits, and what was set aside. What can't be read counts as waiting, for "?"."""
        counts: dict[str, int] = {}
        for name in self._names():
            try:
                ledger = self._read(name).ledger
            except ValueError:
                ledger = "? (can't be read)"
            counts[ledger] = counts.get(ledger, 0) + 1
        return Status(os.fspath(self.folder), tuple(sorted(counts.items())), self._set_aside())

    def flush(self, ledger: Ledger | RemoteLedger) -> Flushed:
        """Send what waits for this ledger, the oldest first, until one can't be sent.

        Raises:
            OperatorError: the folder can't be worked with.
        """
        sent = waiting = 0
        aside: list[SetAside] = []
        stopped: str | None = None
        with self._locked():
            for name in self._names():
                try:
                    entry = self._read(name)
                except ValueError as error:
                    aside.append(self._put_aside(name, str(error)))
                    continue
                if entry.ledger != ledger.url or stopped is not None:
                    waiting += 1
                    continue
                try:
                    _send(entry, ledger)
                except (AccessRefusedError, LedgerUnavailableError) as error:
                    # Nothing is wrong with the entry: the ledger is away, or the token is.
                    stopped = error.message
                    waiting += 1
                    continue
                except (UsageError, ValueError, KeyError, TypeError) as error:
                    reason = error.message if isinstance(error, TidegateError) else repr(error)
                    aside.append(self._put_aside(name, reason))
                    continue
                except OperatorError as error:
                    stopped = error.message
                    waiting += 1
                    continue
                self._remove(name)
                sent += 1
        return Flushed(sent, tuple(aside), waiting, stopped)

    def _names(self) -> list[str]:
        """Every entry by its name, the oldest first; files of other names are left alone."""
        try:
            names = [each.name for each in self.folder.iterdir()]
            return sorted(name for name in names if _NAME.fullmatch(name))
        except OSError as error:
            raise self._broken(error) from error

    def _read(self, name: str) -> Entry:
        """The entry; ValueError, with the reason, where it is not as it was written."""
        try:
            handle = os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                    raise ValueError("it is no file of this user's")
                data = file.read(MAX_ENTRY + 128)
        except OSError as error:
            raise ValueError(f"it can't be read: {error.strerror}") from error
        digest, _, rest = data.partition(b"\n")
        body, end, beyond = rest.partition(b"\n")
        if not end or beyond:
            raise ValueError("it is cut off, or something was added to it")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise ValueError("it was altered: its content is not what its checksum says")
        try:
            content = json.loads(body)
            if content["schema"] != 1 or content["kind"] not in _KINDS:
                raise ValueError("it is of a kind that this version does not know")
            fields = (content["kind"], content["ledger"], content["key"])
            if not all(isinstance(each, str) for each in fields):
                raise TypeError
            return Entry(name, *fields, dict(content["message"]))
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError("it is not of the form of an entry") from error

    def _put_aside(self, name: str, reason: str) -> SetAside:
        """Move an entry out of the way; the reason first, so that none is there without."""
        folder = self.folder / _SET_ASIDE
        try:
            note = folder / f"{name}.reason.txt"
            note.write_text(f"{reason}\n", encoding="utf-8", errors="backslashreplace")
            (self.folder / name).rename(folder / name)
            _sync(folder)
            _sync(self.folder)
        except OSError as error:
            raise self._broken(error) from error
        return SetAside(name, reason)

    def _set_aside(self) -> tuple[SetAside, ...]:
        folder = self.folder / _SET_ASIDE
        found = []
        try:
            for name in sorted(each.name for each in folder.iterdir()):
                if _NAME.fullmatch(name):
                    note = folder / f"{name}.reason.txt"
                    reason = note.read_text("utf-8").strip() if note.is_file() else "unknown"
                    found.append(SetAside(name, reason))
        except OSError as error:
            raise self._broken(error) from error
        return tuple(found)

    def _remove(self, name: str) -> None:
        try:
            (self.folder / name).unlink()
            _sync(self.folder)
        except OSError as error:
            raise self._broken(error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let nobody else flush. The lock ends with the process, however that ends."""
        try:
            handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._broken(error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _broken(self, error: OSError) -> OperatorError:
        return OperatorError(
            f"the spool {os.fspath(self.folder)!r} can't be used: {error.strerror}",
            remedy=f"let {SPOOL} name a folder on a disk with room that only this user may write",
        )


def keep_step(step: Step, *, ledger: str) -> str:
    """Keep a step for a ledger that is away (`ledger.url`); the entry's name.

    The ledger records it once, however often it comes, under the step's own id.

    Raises:
        OperatorError: it can't be written.
    """
    from tidegate.ledger.step_message import step_to_message

    return Spool.open().keep("step", step_to_message(step), ledger=ledger, key=step.id)


def _send(entry: Entry, ledger: Ledger | RemoteLedger) -> None:
    from tidegate.ledger.remote import RemoteLedger
    from tidegate.ledger.step_message import step_from_message

    if entry.kind == "step":
        ledger.record_step(step_from_message(entry.message))
    elif isinstance(ledger, RemoteLedger):
        ledger.send_evidence(entry.message, key=entry.key)
    else:
        raise UsageError("evidence waits for consoles only: beside its database, scan again")


def _require_own(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise OperatorError(
            f"the spool {os.fspath(folder)!r} is not a folder of this user's",
            remedy=f"let {SPOOL} name another",
        )
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise OperatorError(
            f"others may write to the spool {os.fspath(folder)!r}",
            remedy=f"chmod 700 {os.fspath(folder)}",
        )


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _own_place() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("tidegate")) / "spool"
