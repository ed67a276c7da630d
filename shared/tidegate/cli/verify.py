"""`tidegate verify`: are these the bytes that passed?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidegate.cli.options import (
    action_option,
    format_option,
    ledger_option,
    open_gate,
    policy_option,
)
from tidegate.cli.output import emit, emit_error

if TYPE_CHECKING:
    from tidegate.gate import Gate
    from tidegate.policy.model import Action, Decision

_UNDECIDED = frozenset({"UNSCANNED", "UNREAD"})


@click.command("verify")
@click.argument("references", metavar="PATH|DIGEST…", nargs=-1, required=True)
@action_option("load")
@click.option("--subject", default="", help="What the artifact is called, such as fraud/3.")
@format_option("text", "json")
@policy_option
@ledger_option
def command(
    references: tuple[str, ...],
    *,
    action: str,
    subject: str,
    form: str,
    policy: str | None,
    ledger: str | None,
) -> int:
    """Hash artifacts again and say what is on record for exactly these bytes.

    Nothing is scanned. A PATH is hashed; a DIGEST, a decision's number or a name such as
    fraud/3 is looked up. Where a file of that name exists, it is the file that is meant.

    Exit code 0 when all may be used, 1 when one is held, 3 when one was never scanned.
    """
    from tidegate.errors import ArtifactError, RecordNotFoundError
    from tidegate.policy.model import Action

    worst = 0
    rows: list[dict[str, object]] = []
    with open_gate(ledger, policy) as gate:
        for reference in references:
            try:
                decision = _standing(gate, reference, Action(action), subject)
            except (ArtifactError, RecordNotFoundError) as error:
                # Unknown is not the caller's mistake here: it is the answer.
                emit_error(error.explain())
                rows.append({"reference": reference, "error": error.message, "allowed": False})
                worst = worst or 3
                continue
            rows.append({"reference": reference, "allowed": decision.allowed, **decision.to_dict()})
            if form == "text":
                emit(f"{decision.explain()}\n")
            if not decision.allowed:
                worst = _worse(worst, decision)
    if form == "json":
        emit(json.dumps({"schema": 1, "artifacts": rows}, indent=2) + "\n")
    return worst


def _standing(gate: Gate, reference: str, action: Action, subject: str) -> Decision:
    if Path(reference).exists() or Path(reference).is_symlink():
        return gate.standing(reference, action, subject=subject or reference)
    return gate.standing_of(reference, action, subject=subject)


def _worse(worst: int, decision: Decision) -> int:
    undecided = all(reason.rule in _UNDECIDED for reason in decision.reasons)
    return worst if worst == 1 else (3 if undecided else 1)
