"""Writing to the terminal, a pipe or a file.

Always holds: a reader that goes away (`tidegate … | head`) changes no exit code and gets no
traceback; what is written to standard error is shown with control characters escaped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tidegate.errors import OperatorError, UsageError


def emit(text: str) -> None:
    """Write to standard output; in silence where nobody reads it any more."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        raise OperatorError(
            f"the output can't be written: {error.strerror or error}",
            remedy="make room, or write somewhere else; nothing was let through",
        ) from error


def emit_error(text: str) -> None:
    """Write lines to standard error."""
    from tidegate.policy.explain import printable

    try:
        sys.stderr.write("\n".join(printable(line) for line in text.split("\n")) + "\n")
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def finish_output() -> None:
    """Flush what is left, so that the interpreter has nothing to complain about at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Who wrote it has said so, where anybody can still be told.
            _silence(stream)


def _silence(stream: TextIO) -> None:
    """Point the stream at nothing; its buffer then goes there when Python ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)


def write_or_emit(text: str, output: str | None, *, beside: Sequence[str] = ()) -> None:
    """Write to the file, or to standard output without one.

    Args:
        text: what to write.
        output: the file's path; None for standard output.
        beside: paths of artifacts, which the file must not be or lie in.

    Raises:
        UsageError: the file can't be written, or would change an artifact.
    """
    if output is None:
        emit(text)
        return
    check_output(output, beside)
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the file {output!r} can't be written: {error.strerror}",
            remedy="name a file in a folder that you may write to",
        ) from error


def check_output(output: str | None, beside: Sequence[str]) -> None:
    """Refuse an output file that is, or lies in, one of the artifacts.

    Raises:
        UsageError: it would change the very bytes that the report is about.
    """
    if output is None:
        return
    target = Path(output).resolve()
    for path in beside:
        artifact = Path(path).resolve()
        if target == artifact or artifact in target.parents:
            raise UsageError(
                f"the output file {output!r} would change the artifact {path!r}",
                remedy="write the report somewhere else",
            )


def is_path(reference: str) -> bool:
    """Whether something lies at that path, a broken link too: then it is the path that is meant."""
    return os.path.lexists(reference)


def shows_colour(stream: TextIO) -> bool:
    """Whether to use colours: on a terminal, unless NO_COLOR or TERM=dumb says otherwise."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that work goes on; nothing at all in a pipe or a log."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    from rich.console import Console
    from rich.markup import escape

    from tidegate.policy.explain import printable

    with Console(stderr=True).status(escape(printable(what))):
        yield
