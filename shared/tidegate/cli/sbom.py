"""`tidegate sbom`: the bill of materials of a registered model version."""

from __future__ import annotations

import click

from tidegate.cli.options import ledger_option, open_gate, output_option
from tidegate.cli.output import write_or_emit


@click.command("sbom")
@click.argument("reference", metavar="REF")
@output_option
@ledger_option
def command(reference: str, output: str | None, ledger: str | None) -> None:
    """Print the CycloneDX 1.6 bill of materials that is on record.

    REF is a name and version such as fraud/3, a digest or its beginning, or a decision's number.
    """
    with open_gate(ledger) as gate:
        text = gate.ledger.sbom_for(reference)
    write_or_emit(text if text.endswith("\n") else f"{text}\n", output)
