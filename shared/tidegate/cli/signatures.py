"""`tidegate signatures`: which signatures over a model are on record, and which of them count."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.options import format_option, ledger_option, open_gate, policy_option
from tidegate.cli.output import emit, write_or_emit
from tidegate.cli.signature_options import SignerOptions, signer_options, trusts_by
from tidegate.errors import RecordNotFoundError

if TYPE_CHECKING:
    from tidegate.artifact.manifest import Manifest
    from tidegate.attestation.signatures import Trust
    from tidegate.ledger import RecordedSignature


@click.command("signatures")
@click.argument("reference", metavar="REF")
@click.option("--export", metavar="FILE", help="Write one to FILE: the newest that counts, or")
@click.option("--number", type=int, metavar="N", help="with --export, the one of this number.")
@signer_options
@format_option("text", "json")
@policy_option
@ledger_option
def command(
    reference: str,
    *,
    export: str | None,
    number: int | None,
    form: str,
    policy: str | None,
    ledger: str | None,
    keys: tuple[str, ...],
    roots: str | None,
    trusted_root: str | None,
    identity: str | None,
    any_identity: bool,
    issuer: str | None,
) -> int:
    """Show the signatures over a model that are on record, the newest first.

    REF is a digest, a decision's number, or a name such as fraud/3. Whose signature counts is said
    as for `tidegate verify --signature`.

    Exit code 0 when one of them counts, 1 when none does.
    """
    from tidegate.policy.explain import printable

    signers = SignerOptions(keys, roots, trusted_root, identity, any_identity, issuer)
    if number is not None and export is None:
        raise click.UsageError("--number is for --export")
    with open_gate(ledger, policy) as gate:
        trusts = trusts_by(signers, gate.policy)
        digest = gate.ledger.resolve(reference)
        manifest = gate.ledger.manifest(digest)
        found = [
            (each, *_check(each, manifest, trusts)) for each in gate.ledger.signatures_for(digest)
        ]
    counting = [recorded for recorded, owner, _ in found if owner is not None]
    if export is not None:
        chosen = [each for each, *_ in found if each.id == number] if number else counting
        if not chosen:
            which = f"signature {number}" if number else "signature that counts"
            raise RecordNotFoundError(f"the ledger has no {which} over {reference!r}")
        write_or_emit(chosen[0].bundle, export)
    rows: list[dict[str, Any]] = [
        {
            "number": recorded.id,
            "recorded_at": recorded.created_at.isoformat(),
            "actor": recorded.actor,
            "owner": owner,
            "problem": problem,
        }
        for recorded, owner, problem in found
    ]
    if form == "json":
        emit(json.dumps({"schema": 1, "digest": digest, "signatures": rows}, indent=2) + "\n")
    else:
        for row in rows:
            said = f"by {row['owner']}" if row["owner"] else f"does not count: {row['problem']}"
            when = f"{row['recorded_at'][:16]}, recorded by {row['actor']}"
            emit(printable(f"{row['number']:>6}  {when}: {said}") + "\n")
        emit("" if rows else f"No signature over {digest} is on record.\n")
    return 0 if counting else 1


def _check(
    recorded: RecordedSignature, manifest: Manifest, trusts: tuple[Trust, ...]
) -> tuple[str | None, str | None]:
    """Whose it is, or why it does not count."""
    from tidegate.attestation.signatures import ModelSignatureError, verify_model

    try:
        found = verify_model(recorded.bundle.encode(), manifest, trusts, at=recorded.created_at)
    except ModelSignatureError as error:
        return None, error.message
    return found.owner, None
