"""A command that runs as a step: what it was given, how it ended, what it made."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tidegate.provenance import code_in, of_command
from tidegate.recorder.command import run_command
from tidegate.recorder.running import RunningStep
from tidegate.recorder.who import PARENT_VARIABLE


def name_of(command: Sequence[str]) -> str:
    """What a step is called that nobody gave a name: its script, or else its program."""
    sources = code_in(command)
    return (sources[0] if sources else Path(command[0])).stem or command[0]


def attend(
    step: RunningStep,
    command: Sequence[str],
    *,
    when_ended: Callable[[int], None],
) -> tuple[int, str]:
    """Run a command as that step, and record it.

    Args:
        step: a step that has not begun.
        command: the program and its arguments.
        when_ended: told the exit code at once, before the outputs are read.

    Returns:
        The command's exit code (128 + N where signal N ended it), and what to tell a person where
        the step is not on record, or "".

    Raises:
        CommandNotStartedError: there is no such command; nothing is recorded.
        TidegateError: as `RunningStep.begin` and `RunningStep.end` do.
    """
    environment = {**os.environ, PARENT_VARIABLE: step.id}
    sources = tuple(map(Path, step.code)) or code_in(command)
    step.begin(of_command(command, sources, environment, step.redactor))
    code = run_command(command, environment)
    when_ended(code)
    return code, step.end(exit_code=code)
