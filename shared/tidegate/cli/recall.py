"""`tidegate recall`: name what turned out to be bad, and hold everything that came from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.options import format_option, ledger_option, open_gate, policy_option
from tidegate.cli.output import emit, emit_error, working

if TYPE_CHECKING:
    from tidegate.ledger.recalls import Recall
    from tidegate.recall import Affected, RecallReport


@click.command("recall")
@click.argument("what", metavar="[WHAT]", required=False)
@click.option("--reason", metavar="TEXT", help="Why, for those whose artifacts are held by it.")
@click.option(
    "--actor",
    metavar="NAME",
    help="Who recalls. By default $TIDEGATE_ACTOR, or else the operating system's user.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be held.")
@click.option("--list", "listing", is_flag=True, help="All recalls on record, newest first.")
@click.option("--show", type=click.IntRange(min=1), metavar="ID", help="What a recall reaches now.")
@click.option("--lift", type=click.IntRange(min=1), metavar="ID", help="Let go what it held.")
@format_option("text", "json")
@policy_option
@ledger_option
def command(
    what: str | None,
    *,
    reason: str | None,
    actor: str | None,
    dry_run: bool,
    listing: bool,
    show: int | None,
    lift: int | None,
    form: str,
    policy: str | None,
    ledger: str | None,
) -> None:
    """Hold a bad artifact, data set or package, and everything that came from it.

    WHAT is a file or folder, a digest (also one that is not on record yet), the SHA-256 of a
    file, a commit as gitCommit:…, a step, a package as name==version, or a name on record. What
    comes from it is held at once, at every alias, stage, download, load and deployment, and so is
    what is recorded later. `tidegate review approve` lets one artifact go again, --lift all.
    """
    from tidegate import recall as recalling
    from tidegate.settings import read_settings

    chosen = [what is not None, listing, show is not None, lift is not None]
    if chosen.count(True) != 1:
        raise click.UsageError("give one of WHAT, --list, --show and --lift")
    if ((what is not None and not dry_run) or lift is not None) and not (reason or "").strip():
        raise click.UsageError("say why, with --reason")
    if dry_run and what is None:
        raise click.UsageError("--dry-run goes with WHAT")
    with open_gate(ledger, policy) as gate:
        if listing:
            _list(gate.ledger.recalls(), form)
            return
        with working("Following what came of it"):
            acting = actor or read_settings().acting_user()
            if what is not None:
                report = recalling.recall(
                    gate, what, actor=acting, reason=reason or "", dry_run=dry_run
                )
            elif lift is not None:
                report = recalling.lift(gate, lift, actor=acting, reason=reason or "")
            else:
                report = recalling.reach_of(gate, recalling.recall_of(gate, show or 0))
    if form == "json":
        emit(json.dumps({"schema": 1, **report_row(report)}, indent=2) + "\n")
    else:
        _tell(report)


def report_row(report: RecallReport) -> dict[str, Any]:
    """The report in plain JSON types."""
    from tidegate.ledger.recalls import recall_to_dict

    return {
        "kind": report.target.kind.value,
        "target": report.target.target,
        "name": report.target.name,
        "notes": list(report.target.notes),
        "recall": None if report.recall is None else recall_to_dict(report.recall),
        "affected": [_affected_row(each) for each in report.affected],
        "undetermined": list(report.undetermined),
    }


def _affected_row(affected: Affected) -> dict[str, Any]:
    from tidegate.policy.lineage import told

    decision = affected.decision
    return {
        "digest": affected.digest,
        "names": list(affected.names),
        "versions": [
            {"store": store, "name": name, "version": version}
            for store, name, version in affected.versions
        ],
        "owners": list(affected.owners),
        "way": told(affected.way),
        "decision": None if decision is None else decision.to_dict(),
    }


def _list(recalls: tuple[Recall, ...], form: str) -> None:
    from tidegate.ledger.recalls import recall_to_dict
    from tidegate.policy.explain import printable

    if form == "json":
        rows = [recall_to_dict(each) for each in recalls]
        emit(json.dumps({"schema": 1, "recalls": rows}, indent=2) + "\n")
        return
    if not recalls:
        emit("Nothing is recalled.\n")
    for each in recalls:
        state = "in force"
        if each.lift is not None:
            state = f"lifted by {each.lift.actor} on {each.lift.created_at:%Y-%m-%d}"
            state += f": {each.lift.reason}"
        name = f"{each.name} ({each.target})" if each.name else each.target
        emit(f"{each.id:<5} {each.created_at:%Y-%m-%d %H:%M} UTC  {printable(name)}\n")
        emit(f"      by {printable(each.actor)}: {printable(each.reason)}\n")
        emit(f"      {printable(state)}\n")


def _tell(report: RecallReport) -> None:
    from tidegate.policy.explain import printable

    target = report.target
    what = printable(f"{target.name} ({target.target})" if target.name else target.target)
    for note in target.notes:
        emit_error(f"Note: {note}.")
    done, verb = report.recall, "reaches"
    if done is None:
        emit(f"Recalling {what} would reach:\n")
    elif done.lift is not None:
        emit(f"Recall {done.id} of {what} is lifted. It reached:\n")
    else:
        emit(f"Recall {done.id} of {what} {verb}:\n")
    for each in report.affected:
        _tell_affected(each)
    if not report.affected:
        emit("  nothing that is on record.\n")
    for node in report.undetermined:
        emit(f"  Not known: {printable(node)} names the package without a version, or none.\n")
    count = len(report.affected)
    emit(f"{count} artifact{'' if count == 1 else 's'}.")
    if done is not None and done.lift is None:
        emit(
            " `tidegate review approve REF --reason …` lets one go, "
            f"`tidegate recall --lift {done.id} --reason …` all."
        )
    emit("\n")


def _tell_affected(affected: Affected) -> None:
    from tidegate.policy.explain import printable
    from tidegate.policy.lineage import told

    versions = [f"{name}/{version}" for _, name, version in affected.versions]
    names = ", ".join(dict.fromkeys((*versions, *affected.names))) or "(no name)"
    state = "" if affected.decision is None else f"  [{affected.decision.outcome.value}]"
    emit(f"  {affected.digest[:19]}…  {printable(names)}{state}\n")
    if affected.owners:
        emit(f"      owners: {printable(', '.join(affected.owners))}\n")
    if affected.way:
        emit(f"      {printable(told(affected.way))}\n")
