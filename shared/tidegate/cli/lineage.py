"""`tidegate lineage`: where something came from, what came of it, and by which way."""

from __future__ import annotations

import click

from tidegate.cli.options import format_option, ledger_option, open_ledger, output_option
from tidegate.cli.output import working, write_or_emit
from tidegate.errors import RecordNotFoundError, UsageError

_LIMIT = 500


@click.command("lineage")
@click.argument("reference", metavar="REF")
@click.option("--up", is_flag=True, help="Only where it came from.")
@click.option("--down", is_flag=True, help="Only what came of it.")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    metavar="N",
    help="At most N steps away. By default all of it.",
)
@click.option(
    "--to", "target", metavar="REF", help="Only the ways from REF to this, up or down, ten at most."
)
@click.option("--why", is_flag=True, help="Only the shortest way to it from each of its origins.")
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=5_000),
    default=_LIMIT,
    show_default=True,
    metavar="N",
    help="How many nodes to show at most, the nearest first.",
)
@format_option("text", "json", "mermaid", "svg", "openlineage", "prov")
@output_option
@ledger_option
def command(
    reference: str,
    *,
    up: bool,
    down: bool,
    depth: int | None,
    target: str | None,
    why: bool,
    limit: int,
    form: str,
    output: str | None,
    ledger: str | None,
) -> None:
    """Show where something came from, and what came of it.

    REF is a digest or its beginning, what sha256sum prints of a file, a version such as fraud/3 or
    models:/fraud/3, a step's id, or what a step or a decision called it.

    \b
      tidegate lineage models:/fraud/3 --up          what went into it
      tidegate lineage train.csv --down              what was made of it
      tidegate lineage train.csv --to fraud/3        by which ways
      tidegate lineage fraud/3 -f svg -o fraud.svg   a picture
    """  # noqa: D301 - click wants the character itself
    from tidegate.ledger.lineage_graph import Graph, graph_around, graph_of_paths
    from tidegate.ledger.reader import Reader
    from tidegate.reports.lineage import FORMATS

    if (target is not None or why) and (up or down or depth is not None or (target and why)):
        raise UsageError("--to and --why stand alone: leave --up, --down and --depth away")
    with open_ledger(ledger) as opened, working("Following the lineage"):
        if not isinstance(opened, Reader):
            raise UsageError(
                "a console's address answers no questions about lineage",
                remedy="name the ledger's database with --ledger or TIDEGATE_LEDGER",
            )
        from tidegate.ledger.lineage import Direction, paths
        from tidegate.ledger.lineage import why as ways_to
        from tidegate.ledger.lineage_names import nodes_of

        focus = nodes_of(opened, reference)
        graph: Graph
        if target is not None:
            other = nodes_of(opened, target)
            ways = paths(opened, focus, other) or paths(opened, other, focus)
            if not ways:
                raise RecordNotFoundError(
                    f"nothing on record leads from {reference!r} to {target!r}, or back"
                )
            graph = graph_of_paths(opened, focus, ways)
        elif why:
            graph = graph_of_paths(opened, focus, ways_to(opened, focus))
        else:
            directions = tuple(Direction)
            if up != down:
                directions = (Direction.UP,) if up else (Direction.DOWN,)
            graph = graph_around(opened, focus, directions, depth=depth, limit=limit)
    write_or_emit(FORMATS[form](graph), output)
