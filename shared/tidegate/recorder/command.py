"""Running a command as if nobody stood in between.

Standard input, output and error are the command's own. A signal that somebody sends to this
process goes on to the command; what the terminal sends (Ctrl-C) reaches both by itself,
and is not sent twice. Suspending (Ctrl-Z) works on both.

Always holds: whatever this process is told to do while the command runs, it waits for the
command's end, so that what is recorded is what happened. The command begins with the signal mask
and the dispositions that this process was started with.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping, Sequence, Set

from tidegate.errors import UsageError

NOT_FOUND, NOT_RUNNABLE = 127, 126
"""What shells return for a command that can't be started."""

_PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM")
# What Python ignores for itself, and a command would inherit as ignored.
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")

_LOOK_AGAIN_SECONDS = 1.0


class CommandNotStartedError(UsageError):
    """There is no such command, or it can't be run; `exit_code` as shells have it."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message, remedy="check the command behind --; nothing was run or recorded")
        self.exit_code = exit_code


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end.

    Must be called from the main thread. No thread may be started meanwhile that takes signals.

    Args:
        command: the program, looked for on the PATH, and its arguments.
        environment: its environment variables.

    Returns:
        Its exit code; 128 + N where signal N ended it.

    Raises:
        CommandNotStartedError: it can't be started.
    """
    signals = {number for number in signal.Signals if number.name in _PASSED_ON}
    # From here on no signal is lost: one that comes before the command runs is passed on to it.
    before = set(signal.pthread_sigmask(signal.SIG_BLOCK, signals | {signal.SIGCHLD}))
    # Where it is ignored, as some starters leave it, the kernel throws exit codes away.
    disposition = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        process = _start(command, environment, before)
        return _wait(process, signals - before)
    finally:
        signal.signal(signal.SIGCHLD, disposition or signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(command: Sequence[str], environment: Mapping[str, str], mask: Iterable[int]) -> int:
    defaults = [number for number in signal.Signals if number.name in _IGNORED_BY_PYTHON]
    try:
        return os.posix_spawnp(
            command[0], list(command), dict(environment), setsigmask=mask, setsigdef=defaults
        )
    except FileNotFoundError:
        raise CommandNotStartedError(
            f"there is no command {command[0]!r}", exit_code=NOT_FOUND
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandNotStartedError(
            f"the command {command[0]!r} can't be run: {why}", exit_code=NOT_RUNNABLE
        ) from None


def _wait(process: int, signals: Set[int]) -> int:
    waited = signals | {signal.SIGCHLD}
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done == process:
            _take_pending(signals)
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code
        number = _next_signal(waited)
        if number is not None and number != signal.SIGCHLD:
            try:
                os.kill(process, number)
            except PermissionError:
                # It runs as somebody else by now (sudo), who has to be told by somebody else.
                continue


def _next_signal(signals: Set[int]) -> int | None:
    """Wait for one that is to be passed on, or a child's end; None for others, and in between."""
    if not hasattr(signal, "sigtimedwait"):
        number = signal.sigwait(signals)
        return None if number in (signal.SIGINT, signal.SIGQUIT) else number
    # A library's thread may take the one that says that the command has ended.
    told = signal.sigtimedwait(signals, _LOOK_AGAIN_SECONDS)
    if told is None:
        return None
    # The kernel's own code (SI_KERNEL, 0x80) stands for the terminal's keys. A child's end has one
    # of its own kind.
    passed_on = told.si_code <= 0 or told.si_signo == signal.SIGCHLD
    return told.si_signo if passed_on else None


def _take_pending(signals: Set[int]) -> None:
    """Take what the terminal sent to both and the command has answered by ending."""
    while pending := signals & signal.sigpending():
        signal.sigwait(pending)
