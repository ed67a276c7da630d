"""`tidegate attest`: record what a command was given and what it made."""

from __future__ import annotations

import sys

import click

from tidegate.cli.options import ledger_option, ledger_url
from tidegate.cli.output import emit_error

_INCONCLUSIVE = 3
_INTERRUPTED = 130


@click.group("attest")
def command() -> None:
    """Record the steps of a pipeline as signed provenance."""


@command.command(
    "run", context_settings={"allow_interspersed_args": False}, options_metavar="[OPTIONS] --"
)
@click.argument("run", metavar="COMMAND…", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--input", "inputs", multiple=True, metavar="PATH|REF",
    help="Data that goes in: a file or folder, or a digest or models:/NAME/VERSION on record.",
)  # fmt: skip
@click.option(
    "--base", "bases", multiple=True, metavar="PATH|REF",
    help="A model that the command trains further.",
)  # fmt: skip
@click.option("--output", "outputs", multiple=True, metavar="PATH", help="What the command writes.")
@click.option(
    "--code", "sources", multiple=True, metavar="PATH", type=click.Path(exists=True),
    help="The command's code, the script first. By default the arguments that are files of code.",
)  # fmt: skip
@click.option("--name", metavar="NAME", help="What the step is called; by default its script.")
@click.option(
    "--parameter", "settings", multiple=True, metavar="KEY=VALUE",
    help="A setting that the command runs with. What looks like a secret is hidden.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Run nothing, and pass nothing, without the ledger.")
@ledger_option
def run(
    run: tuple[str, ...],
    *,
    inputs: tuple[str, ...],
    bases: tuple[str, ...],
    outputs: tuple[str, ...],
    sources: tuple[str, ...],
    name: str | None,
    settings: tuple[str, ...],
    strict: bool,
    ledger: str | None,
) -> int:
    """Run a command, and record what went into it and what came out.

    \b
      tidegate attest run --input train.csv --output model.skops -- python train.py

    All options but --name, --ledger and --strict may be given more than once. The command keeps
    its standard input, output and error; signals are passed on to it.

    The exit code is the command's own, 128 + N where signal N ended it, 127 and 126 where it can't
    be started. It is 3 where the command ended with 0 and an output is missing, or, with --strict,
    the step could not be recorded.
    """  # noqa: D301 - click wants the character itself
    import warnings

    from tidegate.recorder import RunningStep, UnrecordedStepWarning
    from tidegate.recorder.attended import attend, name_of
    from tidegate.recorder.command import CommandNotStartedError
    from tidegate.recorder.running import COMMAND

    step = RunningStep(
        name or name_of(run),
        inputs=inputs,
        bases=bases,
        code=sources,
        outputs=outputs,
        parameters=_settings(settings),
        ledger=ledger_url(ledger),
        strict=strict,
        builder=COMMAND,
    )
    ended: list[int] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UnrecordedStepWarning)
            warnings.showwarning = lambda message, *_, **__: emit_error(str(message))
            code, unrecorded = attend(step, run, when_ended=ended.append)
    except CommandNotStartedError as error:
        emit_error(error.explain())
        return error.exit_code
    except KeyboardInterrupt:
        if not ended:
            raise
        emit_error(f"Interrupted: the command ended with {ended[0]}, the step is not on record.")
        return _INTERRUPTED
    if unrecorded:
        emit_error(unrecorded)
    for problem in step.problems:
        emit_error(problem.explain())
    if step.recorded and sys.stderr.isatty():
        emit_error(f"Recorded {step.id}")
    return code or (_INCONCLUSIVE if step.problems else 0)


def _settings(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name:
            # Not what was given: it may be a password.
            raise click.BadParameter("give KEY=VALUE", param_hint="--parameter")
        found[name] = value
    return found
