"""`tidegate scan`: look into artifacts and say what the policy makes of them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from tidegate.cli.options import (
    action_option,
    format_option,
    ledger_option,
    open_gate,
    output_option,
    policy_option,
)
from tidegate.cli.output import check_output, emit_error, shows_colour, working, write_or_emit

if TYPE_CHECKING:
    from tidegate.policy.model import Action
    from tidegate.reports import ArtifactReport, ScanReport
    from tidegate.settings import Settings


@click.command("scan")
@click.argument("paths", metavar="PATH…", nargs=-1, required=True)
@format_option("text", "json", "sarif", "markdown")
@output_option
@policy_option
@action_option("register")
@click.option("--record", is_flag=True, help="Keep evidence and decision in the ledger.")
@click.option("--subject", default="", help="What the artifact is called, such as fraud/3.")
@ledger_option
def command(
    paths: tuple[str, ...],
    form: str,
    output: str | None,
    policy: str | None,
    action: str,
    *,
    record: bool,
    subject: str,
    ledger: str | None,
) -> int:
    """Look into models and other files without loading them.

    Each PATH is one artifact: a file, or a folder with all that is in it. Nothing of it is run,
    imported or unpacked to disk.

    Exit code 0 when everything passes, 1 when the policy holds something for what was found in
    it, 2 when a PATH leads nowhere, 3 when something is held only because it could not be read
    through.
    """
    from tidegate.policy.model import Action
    from tidegate.reports import report_format

    if not record and (ledger or subject):
        raise click.UsageError("--ledger and --subject are of use with --record only")
    if subject and len(paths) > 1:
        raise click.UsageError("--subject names one artifact: give one PATH with it")
    check_output(output, paths)
    if record:
        report = _recorded(paths, Action(action), policy, ledger, subject)
    else:
        report = _examined(paths, Action(action), policy)
    colour = output is None and shows_colour(sys.stdout)
    write_or_emit(report_format(form, colour=colour).render(report), output, beside=paths)
    if report.audit and (output is not None or form != "text"):
        emit_error("AUDIT MODE: the policy records what it would hold, and holds nothing.")
    return report.exit_code


def _examined(paths: tuple[str, ...], action: Action, policy: str | None) -> ScanReport:
    """Without a ledger: nothing is read from one or kept in one."""
    from tidegate.cli import early
    from tidegate.errors import OperatorError
    from tidegate.examine import examine
    from tidegate.policy import resolve_policy
    from tidegate.reports import ArtifactReport
    from tidegate.scanners.engine import ScanEngine

    settings = _settings()
    chosen = resolve_policy(policy or (settings.policy if settings else None))
    engine = ScanEngine(settings.limits() if settings else None)
    entries: list[ArtifactReport] = []
    try:
        for number, path in enumerate(paths, 1):
            with working(f"Scanning {path} ({number} of {len(paths)})"):
                try:
                    hashing = early.hashing_of(path)
                    seen = examine(path, chosen, action=action, engine=engine, hashing=hashing)
                except OperatorError as error:
                    entries.append(ArtifactReport.of(path, error=error))
                    continue
            entries.append(
                ArtifactReport.of(
                    path, evidence=seen.evidence, decision=seen.decision, error=seen.error
                )
            )
    finally:
        engine.close()
    return _report(entries)


def _recorded(
    paths: tuple[str, ...], action: Action, policy: str | None, ledger: str | None, subject: str
) -> ScanReport:
    """With the ledger: evidence on record saves a scan, reviews and waivers count."""
    from tidegate.errors import ArtifactError, ArtifactLinkError
    from tidegate.examine import examine
    from tidegate.reports import ArtifactReport
    from tidegate.settings import read_settings

    entries: list[ArtifactReport] = []
    actor = read_settings().acting_user()
    with open_gate(ledger, policy, make_ledger=True) as gate:
        for number, path in enumerate(paths, 1):
            with working(f"Scanning {path} ({number} of {len(paths)})"):
                try:
                    manifest, evidence = gate.gather(path)
                    decision = gate.settle(
                        action,
                        manifest,
                        evidence,
                        subject=subject or path,
                        actor=actor,
                        place=os.path.abspath(path),  # noqa: PTH100 - no link is resolved
                    )
                except ArtifactLinkError as error:
                    # Nothing of it goes on record: its digest would not be the artifact's.
                    seen = examine(path, gate.policy, action=action)
                    entries.append(
                        ArtifactReport.of(
                            path, evidence=seen.evidence, decision=seen.decision, error=error
                        )
                    )
                    continue
                except ArtifactError as error:
                    entries.append(ArtifactReport.of(path, error=error))
                    continue
            entries.append(ArtifactReport.of(path, evidence=evidence, decision=decision))
    return _report(entries)


def _settings() -> Settings | None:
    """The environment's settings; None without any, which saves loading what reads them."""
    if not any(name.upper().startswith("TIDEGATE_") for name in os.environ):
        return None
    from tidegate.settings import read_settings

    return read_settings()


def _report(entries: list[ArtifactReport]) -> ScanReport:
    from tidegate.reports import ScanReport
    from tidegate.scanners.registry import ruleset_version

    return ScanReport(ruleset_version(), tuple(entries))
