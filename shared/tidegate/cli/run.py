"""Running a command and turning whatever comes of it into an exit code.

Always holds: an error raised on purpose is shown as its own explanation, without a traceback;
any other ends in code 3 with one line; nothing that an artifact chose reaches the terminal raw.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from tidegate.cli.app import app
from tidegate.cli.output import emit_error, finish_output
from tidegate.errors import ArtifactMissingError, TidegateError, UsageError

PASS, HELD, USAGE, INCONCLUSIVE = 0, 1, 2, 3
_INTERRUPTED = 130


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    _never_fail_on_a_character()
    try:
        _refuse_files_as_options(arguments)
        code = app.main(list(arguments), prog_name="tidegate", standalone_mode=False)
    except click.exceptions.Abort:
        emit_error("Interrupted: nothing was decided.")
        code = _INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        emit_error(error.format_message())
        code = USAGE
    except click.ClickException as error:
        # Not click's own `show`: what it repeats may be a file's name out of somebody's `*`.
        emit_error(f"{_usage_of(error)}Error: {error.format_message()}")
        code = USAGE
    except TidegateError as error:
        emit_error(error.explain())
        code = exit_code_of(error)
    except Exception as error:
        if os.environ.get("TIDEGATE_DEBUG"):
            raise
        emit_error(
            f"Tidegate failed: {type(error).__name__}: {error}\n"
            "  This is a fault of Tidegate; nothing was let through. "
            "TIDEGATE_DEBUG=1 shows where."
        )
        code = INCONCLUSIVE
    finish_output()
    return code if isinstance(code, int) else PASS


def _usage_of(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return ""
    return f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n\n"


def _refuse_files_as_options(arguments: Sequence[str]) -> None:
    """Refuse an option that is the name of a file here.

    In a folder that somebody else filled, `tidegate scan *` would take a file that is named
    "--policy=audit" for an option.
    """
    for argument in arguments:
        if argument == "--":
            return
        if argument.startswith("-") and os.path.lexists(argument):
            raise UsageError(
                f"{argument!r} is an option, and also the name of a file here",
                remedy=f"write ./{argument} for the file, or put all paths behind --",
            )


def exit_code_of(error: TidegateError) -> int:
    """2 where the caller must act, as for a path that leads nowhere; 3 where it stays open."""
    return USAGE if isinstance(error, (UsageError, ArtifactMissingError)) else INCONCLUSIVE


def _never_fail_on_a_character() -> None:
    """Show as an escape what the terminal's encoding lacks, instead of failing half-way."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
