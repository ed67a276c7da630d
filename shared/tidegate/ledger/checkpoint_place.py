"""Where a ledger's checkpoint is kept outside of it: a file, or an address over HTTP.

    place = place_of("https://notes.example.com/fraud-ledger.txt")
    with place.turn():
        before = place.read()
        place.write(ledger.checkpoint(after=before.note), before)

Always holds: a checkpoint takes the place of another one whole or not at all, and only of the one
that was read and held against the log: if somebody was faster, nothing is written. So a place never
goes back, unless its keeper does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.errors import OperatorError, UsageError
from tidegate.ledger.address import is_remote, token_from_environment
from tidegate.ledger.transport import Transport

CHECKPOINT_TOKEN = "TIDEGATE_CHECKPOINT_TOKEN"  # noqa: S105 - the variable's name
_NOTE_LIMIT = 1 << 16
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at a place: the note, None where there is none yet, and its version there."""

    note: str | None
    version: str | None = None


class OvertakenError(OperatorError):
    """Another checkpoint was written since the one was read that this was held against."""


class CheckpointPlace(ABC):
    """A place for one checkpoint."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep others of this kind away from reading to writing, where the place can."""
        yield

    @abstractmethod
    def read(self) -> Standing:
        """What stands there.

        Raises:
            UsageError, OperatorError: it can't be read, or is no text of a checkpoint's size.
        """

    @abstractmethod
    def write(self, note: str, before: Standing) -> None:
        """Put a note in the place of what was read before.

        Raises:
            OvertakenError: something else stands there by now.
            UsageError, OperatorError: it can't be written.
        """


def place_of(name: str, *, post: bool = False) -> CheckpointPlace:
    """The place of that name: `https://…` is an address, anything else a file.

    Args:
        name: where.
        post: send with POST instead of PUT.
    """
    return _Address(name, "POST" if post else "PUT") if is_remote(name) else _File(Path(name))


class _File(CheckpointPlace):
    def __init__(self, target: Path) -> None:
        self._target = target

    @contextmanager
    def turn(self) -> Iterator[None]:
        lock = self._target.with_name(f".{self._target.name}.lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def read(self) -> Standing:
        try:
            with self._target.open("rb") as file:
                return Standing(_text(file.read(_NOTE_LIMIT + 1), os.fspath(self._target)))
        except FileNotFoundError:
            if not os.path.lexists(self._target):
                return Standing(None)
            raise UsageError(
                f"the checkpoint {os.fspath(self._target)!r} is a link to nothing"
            ) from None
        except OSError as error:
            raise UsageError(
                f"the checkpoint {os.fspath(self._target)!r} can't be read: {error.strerror}"
            ) from error

    def write(self, note: str, before: Standing) -> None:
        if self.read().note != before.note:
            raise OvertakenError(
                f"the checkpoint {os.fspath(self._target)!r} was changed meanwhile"
            )
        draft = self._target.with_name(f".{self._target.name}.{os.urandom(8).hex()}")
        try:
            # In a folder that others write to too, nobody's link of that name is followed.
            with draft.open("x", encoding="utf-8") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._target)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(
            f"the checkpoint can't be written to {os.fspath(self._target)!r}: {error.strerror}"
        )


class _Address(CheckpointPlace):
    def __init__(self, address: str, method: str) -> None:
        self._transport = Transport(address, token_from_environment(CHECKPOINT_TOKEN))
        self._method = method

    def read(self) -> Standing:
        answer = self._transport.exchange("GET", "", kind=_TEXT)
        if answer.status in {404, 410}:
            return Standing(None)
        if answer.status != 200:
            raise self._refused("read", answer.status)
        text = _text(answer.body, self._transport.address)
        return Standing(text, answer.headers.get("etag"))

    def write(self, note: str, before: Standing) -> None:
        condition = {}
        if before.note is None:
            condition = {"If-None-Match": "*"}
        elif before.version is not None:
            condition = {"If-Match": before.version}
        # A note that arrives twice is the same note; but what a POST does is its server's affair.
        answer = self._transport.exchange(
            self._method,
            "",
            body=note.encode(),
            headers=condition,
            kind=_TEXT,
            again=self._method == "PUT",
        )
        if answer.status in {409, 412}:
            if self.read().note == note:
                # The answer to the first try was lost.
                return
            raise OvertakenError(
                f"the checkpoint at {self._transport.address} was changed meanwhile"
            )
        if not 200 <= answer.status < 300:
            raise self._refused("written", answer.status)

    def _refused(self, what: str, status: int) -> OperatorError:
        return OperatorError(
            f"the checkpoint at {self._transport.address} can't be {what}: status {status}",
            remedy=f"check the address, and the token in {CHECKPOINT_TOKEN}",
        )


def _overtaken(where: str) -> OvertakenError:
    return OvertakenError(f"the checkpoint at {where!r} was changed meanwhile", remedy="try again")


def _text(data: bytes, where: str) -> str:
    try:
        if len(data) > _NOTE_LIMIT:
            raise UsageError(f"what stands at {where!r} is no checkpoint: it is too long")
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"what stands at {where!r} is no checkpoint") from error
