"""`tidegate rescan`: which of the artifacts that passed would fail under today's rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.options import format_option, ledger_option, open_gate, policy_option
from tidegate.cli.output import emit, working

if TYPE_CHECKING:
    from tidegate.rescan import Rescanned


@click.command("rescan")
@click.argument("references", metavar="[REF…]", nargs=-1)
@click.option(
    "--record",
    is_flag=True,
    help="Keep the new evidence and decisions: what fails is held from then on.",
)
@format_option("text", "json")
@policy_option
@ledger_option
def command(
    references: tuple[str, ...], *, record: bool, form: str, policy: str | None, ledger: str | None
) -> int:
    """Say which artifacts that passed would fail under today's rules.

    Without REF it looks at all that passes by the ledger, and scans anew what was last scanned
    under older rules. The bytes are looked for where they lay when they were recorded, and count
    only if they are still the same.

    Exit code 0 when all of it passes, 1 when something would be held, 3 when nothing would but
    something was not within reach.
    """
    from tidegate.policy.explain import printable, summarize
    from tidegate.rescan import State, rescan
    from tidegate.settings import read_settings

    rows: list[Rescanned] = []
    with open_gate(ledger, policy) as gate, working("Scanning again"):
        actor = read_settings().acting_user()
        rows.extend(rescan(gate, references, record=record, actor=actor))
    failing = [row for row in rows if row.decision is not None and not row.decision.allowed]
    unknown = [row for row in rows if row.state is State.OUT_OF_REACH]
    if form == "json":
        from tidegate.scanners.registry import ruleset_version

        found = {"schema": 1, "ruleset": ruleset_version(), "artifacts": [_row(r) for r in rows]}
        emit(json.dumps(found, indent=2) + "\n")
    else:
        for row in rows:
            name = printable(", ".join(filter(None, row.subjects))) or "(no name)"
            emit(f"{row.state.value:<13} {row.digest[:19]}…  {name}\n")
            if row.reason is not None:
                emit(f"              {printable(row.reason)}\n")
            elif row.decision is not None and not row.decision.allowed:
                emit(f"              {summarize(row.decision, 400)}\n")
        emit(
            f"{len(rows)} looked at: {len(failing)} fail under today's rules, "
            f"{len(unknown)} out of reach.\n"
        )
    if failing:
        return 1
    return 3 if unknown else 0


def _row(row: Rescanned) -> dict[str, Any]:
    return {
        "digest": row.digest,
        "subjects": list(row.subjects),
        "state": row.state.value,
        "decision": None if row.decision is None else row.decision.to_dict(),
        "reason": row.reason,
    }
