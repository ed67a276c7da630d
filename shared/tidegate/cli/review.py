"""`tidegate review`: what is held, and what people decide about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.options import format_option, ledger_option, open_gate, policy_option
from tidegate.cli.output import emit

if TYPE_CHECKING:
    from tidegate.gate import Gate
    from tidegate.policy.model import Decision

_REF = "REF is a decision's number, a digest or its beginning, or a name such as fraud/3."


@click.group("review")
def command() -> None:
    """See what is held, and approve, reject or waive it."""


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@format_option("text", "json")
@ledger_option
def list_held(limit: int, form: str, ledger: str | None) -> None:
    """What is held or refused, newest first."""
    from tidegate.cli.dossier import held_line, held_row

    with open_gate(ledger) as gate:
        held = gate.held(limit=limit)
    if form == "json":
        rows = [held_row(item) for item in held]
        emit(json.dumps({"schema": 1, "held": rows}, indent=2) + "\n")
        return
    if not held:
        emit("Nothing is held.\n")
        return
    emit("".join(held_line(item) for item in held))
    emit(f"\n{len(held)} held. `tidegate review show NUMBER` tells why.\n")


@command.command("show", help=f"Everything on record about one artifact.\n\n{_REF}")
@click.argument("reference", metavar="REF")
@format_option("text", "json")
@policy_option
@ledger_option
def show(reference: str, form: str, policy: str | None, ledger: str | None) -> None:
    """Everything on record about one artifact."""
    from tidegate.cli.dossier import dossier_row, dossier_text

    with open_gate(ledger, policy) as gate:
        dossier = gate.dossier(reference)
        chosen = gate.policy
    if form == "json":
        emit(json.dumps({"schema": 1, **dossier_row(dossier)}, indent=2) + "\n")
    else:
        emit(dossier_text(dossier, chosen))


def _reason_and_actor(function: Any) -> Any:
    function = click.option(
        "--actor",
        metavar="NAME",
        help="Who decides. By default $TIDEGATE_ACTOR, or else the operating system's user.",
    )(function)
    return click.option(
        "--reason", required=True, metavar="TEXT", help="Why, for those who read the record later."
    )(function)


@command.command(
    "approve",
    help="Let pass what the evidence on record shows, and nothing that a later scan may add.\n\n"
    f"{_REF}\n\nExit code 0 when the artifact may be used afterwards, 1 when it is still held.",
)
@click.argument("reference", metavar="REF")
@_reason_and_actor
@policy_option
@ledger_option
def approve(
    reference: str, reason: str, actor: str | None, policy: str | None, ledger: str | None
) -> int:
    """Approve an artifact as its evidence shows it."""
    with open_gate(ledger, policy) as gate:
        return _told(gate.approve(reference, actor=_actor(gate, actor), reason=reason))


@command.command("reject", help=f"Refuse these bytes, whatever any scan says of them.\n\n{_REF}")
@click.argument("reference", metavar="REF")
@_reason_and_actor
@policy_option
@ledger_option
def reject(
    reference: str, reason: str, actor: str | None, policy: str | None, ledger: str | None
) -> None:
    """Reject an artifact."""
    with open_gate(ledger, policy) as gate:
        _told(gate.reject(reference, actor=_actor(gate, actor), reason=reason))


@command.command(
    "waive",
    help="Except an artifact from one rule until a time.\n\n"
    "The waiver covers the findings of that rule that are on record now, in these bytes only. "
    f"{_REF}\n\nExit code 0 when the artifact may be used afterwards, 1 when it is still held.",
)
@click.argument("reference", metavar="REF")
@click.option("--rule", required=True, metavar="ID", help="The rule, as `review show` names it.")
@click.option("--days", type=click.IntRange(min=1), help="How many days it lasts.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The day at whose beginning (UTC) it ends.",
)
@_reason_and_actor
@policy_option
@ledger_option
def waive(
    reference: str,
    *,
    rule: str,
    days: int | None,
    until: datetime | None,
    reason: str,
    actor: str | None,
    policy: str | None,
    ledger: str | None,
) -> int:
    """Waive one rule for one artifact."""
    if (days is None) == (until is None):
        raise click.UsageError("give one of --days and --until")
    with open_gate(ledger, policy) as gate:
        decision = gate.waive(
            reference,
            rule=rule,
            actor=_actor(gate, actor),
            reason=reason,
            days=days,
            until=until.replace(tzinfo=UTC) if until is not None else None,
        )
        return _told(decision)


def _actor(gate: Gate, given: str | None) -> str:
    from tidegate.errors import UsageError
    from tidegate.remote_gate import RemoteGate
    from tidegate.settings import read_settings

    if isinstance(gate, RemoteGate):
        holder = gate.remote.account().holder
        if given not in {None, holder}:
            raise UsageError(
                f"over HTTP it is the token's holder who decides, which is {holder}",
                remedy="leave --actor away, or use a token of that person's",
            )
        return holder
    return given or read_settings().acting_user()


def _told(decision: Decision) -> int:
    """Show the decision as it now stands; the exit code that says it."""
    emit(f"{decision.explain()}\n")
    return 0 if decision.allowed else 1
