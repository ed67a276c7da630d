"""`tidegate audit`: what is known of the packages that a model asks for."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime

import click

from tidegate.cli.options import format_option, ledger_option, output_option, policy_option
from tidegate.cli.output import check_output, emit_error, shows_colour, working, write_or_emit

_REMEDY = "name exactly one version of a package of the index, and keep the feeds up to date"
_CAVEAT = "No advisory known does not mean that there is none."


@click.command("audit")
@click.argument("paths", metavar="PATH…", nargs=-1, required=True)
@format_option("text", "json", "sarif", "markdown")
@output_option
@policy_option
@ledger_option
def command(
    paths: tuple[str, ...], form: str, output: str | None, policy: str | None, ledger: str | None
) -> int:
    """Hold what is asked for against the advisories of all feeds.

    Each PATH is a requirements.txt, pylock.toml, uv.lock, poetry.lock, conda.yaml or
    python_env.yaml, a model's folder, a folder of wheels, or a site-packages folder. Nothing is
    installed, resolved or fetched. `tidegate feeds` says where advisories come from.

    Exit code 0 when nothing that the policy holds is known, 1 when something is, 2 when a PATH is
    no list of packages, 3 when it can't be told: no feed, a stale one, or a version that can't be
    compared.
    """
    from tidegate.audit import audited, demands_at
    from tidegate.cli.feeds import feed_line, feed_row, open_feeds
    from tidegate.errors import ArtifactError
    from tidegate.ledger.advisories import advisories_for, feeds
    from tidegate.policy import resolve_policy
    from tidegate.reports import ArtifactReport, ScanReport, report_format
    from tidegate.settings import read_settings

    check_output(output, paths)
    chosen = resolve_policy(policy or read_settings().policy)
    now = datetime.now(UTC)
    entries: list[ArtifactReport] = []
    with open_feeds(ledger, make=True) as opened:
        known_feeds = feeds(opened)
        for path in paths:
            try:
                with working(f"Auditing {path}"):
                    demands = demands_at(path)
                    known = advisories_for(opened, demands.components)
                    evidence, decision = audited(demands, known, chosen, now=now)
            except ArtifactError as error:
                entries.append(ArtifactReport.of(path, error=error))
                continue
            entry = ArtifactReport.of(path, evidence=evidence, decision=decision)
            # The digest is that of a list: there is nothing on record that could be reviewed.
            entries.append(replace(entry, digest=None, unread_remedy=_REMEDY))
    lines = [feed_line(each, now) for each in known_feeds] or ["no feed of advisories"]
    report = ScanReport("; ".join(lines), tuple(entries))
    colour = output is None and shows_colour(sys.stdout)
    text = report_format(form, colour=colour).render(report)
    if form == "json":
        rows = [feed_row(each, now) for each in known_feeds]
        text = json.dumps({**json.loads(text), "feeds": rows}, indent=2) + "\n"
    elif form in {"text", "markdown"}:
        text += f"\n{_CAVEAT}\n"
    write_or_emit(text, output, beside=paths)
    if report.audit and (output is not None or form != "text"):
        emit_error("AUDIT MODE: the policy records what it would hold, and holds nothing.")
    return report.exit_code
