"""The root command: which commands there are. Each is imported when it is named."""

from __future__ import annotations

import importlib

import click

from tidegate import __version__

# In the order in which `tidegate --help` shows them.
_COMMANDS = {
    "scan": "scan",
    "rescan": "rescan",
    "verify": "verify",
    "audit": "audit",
    "convert": "convert",
    "review": "review",
    "recall": "recall",
    "sign": "sign",
    "signatures": "signatures",
    "policy": "policy",
    "rules": "rules",
    "feeds": "feeds",
    "sbom": "sbom",
    "attest": "attest",
    "lineage": "lineage",
    "ledger": "ledger",
    "console": "console",
    "db": "db",
}


class _LazyGroup(click.Group):
    """A group whose commands are the attribute `command` of modules beside this one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"tidegate.cli.{_COMMANDS[cmd_name]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 pass, 1 held by policy, 2 wrong usage or configuration, 3 inconclusive.",
)
@click.version_option(__version__, prog_name="tidegate", message="%(prog)s %(version)s")
def app() -> None:
    """Supply-chain security for machine learning.

    Tidegate looks into models and data without loading them, and lets pass only what the
    evidence speaks for. To begin with:

    \b
      tidegate scan model/           look into a model, nothing is kept
      tidegate scan --record model/  the same, and keep the evidence in the ledger
      tidegate verify model/         are these the bytes that passed?
      tidegate review list           what is held, and waits for a person
    """  # noqa: D301 - click wants the character itself
