"""`tidegate verify`: are these the bytes that passed, and is it signed by whom it should be?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.options import (
    action_option,
    format_option,
    ledger_option,
    open_gate,
    policy_option,
)
from tidegate.cli.output import emit, emit_error, is_path
from tidegate.cli.signature_options import SignerOptions, signer_options

if TYPE_CHECKING:
    from tidegate.cli.signed import SignatureDemanded, SignatureResult
    from tidegate.gate import Gate
    from tidegate.policy.model import Action, Decision

_UNDECIDED = frozenset({"UNSCANNED", "UNREAD"})
_ON_RECORD = ""


@click.command("verify")
@click.argument("references", metavar="PATH|DIGEST|models:/…", nargs=-1, required=True)
@action_option("load")
@click.option("--subject", default="", help="What the artifact is called, such as fraud/3.")
@click.option(
    "--signature",
    metavar="[FILE]",
    is_flag=False,
    flag_value=_ON_RECORD,
    help="Demand a signature over the model too: the one in FILE, or without FILE (put --signature "
    "last, then) one on record.",
)
@click.option(
    "--signature-only", is_flag=True, help="Check PATH against --signature FILE, with no ledger."
)
@signer_options
@click.option(
    "--path", metavar="PATH", help="Where the files of models:/… lie, if they are here already."
)
@click.option(
    "--to",
    metavar="FOLDER",
    help="Leave the files of models:/… in this new folder if, and only if, they verify.",
)
@format_option("text", "json")
@policy_option
@ledger_option
def command(
    references: tuple[str, ...],
    *,
    action: str,
    subject: str,
    signature: str | None,
    signature_only: bool,
    path: str | None,
    to: str | None,
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
    """Hash artifacts again and say what is on record for exactly these bytes.

    Nothing is scanned. A PATH is hashed; a DIGEST, a decision's number or a name such as
    fraud/3 is looked up. Where a file of that name exists, it is the file that is meant. A
    registered model (models:/fraud@champion, models:/fraud/3) is downloaded, or read at --path,
    and must have the bytes that it was registered with.

    With --signature the model must be signed as well, over every file, by a signer of the options
    --key, --roots and --trusted-root; without those by one of the policy; and where that names
    none by a key of $TIDEGATE_TRUSTED_KEYS.

    Exit code 0 when all may be used, 1 when one is held or not signed so, 3 when one was never
    scanned or can't be had.
    """
    signers = SignerOptions(keys, roots, trusted_root, identity, any_identity, issuer)
    _require_sense(references, signature, signature_only, path, to, signers)
    if signature_only:
        return _signature_alone(references[0], signature or "", signers, policy, form)
    from tidegate.cli.signed import SignatureDemanded
    from tidegate.errors import ArtifactError, RecordNotFoundError
    from tidegate.policy.model import Action

    worst = 0
    rows: list[dict[str, Any]] = []
    with open_gate(ledger, policy) as gate:
        demand = None
        if signature is not None:
            demand = SignatureDemanded(signature or None, signers, gate.policy)
        for reference in references:
            try:
                if reference.startswith("models:/"):
                    decision, signed = _registered(
                        gate, reference, Action(action), demand, path, to
                    )
                else:
                    decision = _standing(gate, reference, Action(action), subject)
                    signed = demand.check(gate, decision.digest, reference) if demand else None
            except (ArtifactError, RecordNotFoundError) as error:
                # Unknown is not the caller's mistake here: it is the answer.
                emit_error(error.explain())
                rows.append({"reference": reference, "error": error.message, "allowed": False})
                worst = worst or 3
                continue
            rows.append(_row(reference, decision, signed))
            if form == "text":
                emit(f"{decision.explain()}\n")
                if signed is not None:
                    emit(f"  {signed.line()}\n")
                    if decision.allowed and not signed.counts:
                        emit("  So it does not pass here.\n")
            if signed is not None and not signed.counts:
                worst = 1
            if not decision.allowed:
                worst = _worse(worst, decision)
    if form == "json":
        emit(json.dumps({"schema": 1, "artifacts": rows}, indent=2) + "\n")
    return worst


def _require_sense(
    references: tuple[str, ...],
    signature: str | None,
    signature_only: bool,
    path: str | None,
    to: str | None,
    signers: SignerOptions,
) -> None:
    """Refuse options that would do nothing where they stand."""
    alone = len(references) == 1
    is_model = alone and references[0].startswith("models:/")
    if signature and not alone:
        raise click.UsageError("one --signature FILE is for one artifact")
    if (path is not None or to is not None) and not is_model:
        raise click.UsageError("--path and --to are for one models:/… alone")
    if path is not None and to is not None:
        raise click.UsageError("--path and --to: the files are here already, or they are not")
    if signature_only and (not signature or not alone or is_model):
        raise click.UsageError("--signature-only needs one PATH and --signature FILE")
    if signature is None and (signers.given or signers.identity or signers.any_identity):
        raise click.UsageError("signers are looked at with --signature only")


def _standing(gate: Gate, reference: str, action: Action, subject: str) -> Decision:
    if is_path(reference):
        return gate.standing(reference, action, subject=subject or reference)
    return gate.standing_of(reference, action, subject=subject)


def _registered(
    gate: Gate,
    uri: str,
    action: Action,
    demand: SignatureDemanded | None,
    path: str | None,
    to: str | None,
) -> tuple[Decision, SignatureResult | None]:
    """The decision about a registered model's bytes, and its signature's check if demanded."""
    from tidegate.cli.models import located

    target = Path(to).absolute() if to is not None else None
    with located(gate.ledger, uri, path=path, to=target) as place:
        # What is held on record need not be downloaded to be held.
        decision = gate.standing_of(place.expected, action, subject=place.subject)
        if decision.allowed:
            decision = gate.standing(
                place.path, action, subject=place.subject, expected=place.expected
            )
        signed = demand.check(gate, decision.digest, uri) if demand else None
        if decision.allowed and (signed is None or signed.counts):
            place.keep(target)
    return decision, signed


def _signature_alone(
    reference: str, file: str, signers: SignerOptions, policy: str | None, form: str
) -> int:
    from tidegate.artifact import read_manifest
    from tidegate.cli.signed import SignatureDemanded
    from tidegate.errors import ArtifactError
    from tidegate.policy import resolve_policy
    from tidegate.settings import read_settings

    demand = SignatureDemanded(file, signers, resolve_policy(policy or read_settings().policy))
    try:
        manifest = read_manifest(reference)
    except ArtifactError as error:
        emit_error(error.explain())
        rows: list[dict[str, Any]] = [
            {"reference": reference, "error": error.message, "allowed": False}
        ]
        code = 3
    else:
        signed = demand.check_file(manifest)
        rows = [
            {
                "reference": reference,
                "allowed": signed.counts,
                "digest": manifest.digest,
                "signature": signed.to_dict(),
            }
        ]
        code = 0 if signed.counts else 1
        if form == "text":
            emit(f"{signed.line()}\n")
    if form == "json":
        emit(json.dumps({"schema": 1, "artifacts": rows}, indent=2) + "\n")
    return code


def _row(reference: str, decision: Decision, signed: SignatureResult | None) -> dict[str, Any]:
    allowed = decision.allowed and (signed is None or signed.counts)
    row = {**decision.to_dict(), "reference": reference, "allowed": allowed}
    return row if signed is None else {**row, "signature": signed.to_dict()}


def _worse(worst: int, decision: Decision) -> int:
    undecided = all(reason.rule in _UNDECIDED for reason in decision.reasons)
    return worst if worst == 1 else (3 if undecided else 1)
