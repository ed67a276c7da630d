"""`tidegate sign`: sign a model, or put on record a signature that was made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidegate.cli.options import ledger_option, open_gate, policy_option
from tidegate.cli.output import check_output, emit, is_path, write_or_emit

if TYPE_CHECKING:
    from tidegate.attestation.signatures import SigningIdentity
    from tidegate.gate import Gate


@click.command("sign")
@click.argument("reference", metavar="PATH|REF")
@click.option(
    "--key",
    metavar="FILE",
    help="The private key, ECDSA in PEM. By default $TIDEGATE_MODEL_SIGNING_KEY. Its password, if "
    "it has one, is taken from $TIDEGATE_MODEL_SIGNING_PASSWORD.",
)
@click.option(
    "--certificate",
    metavar="FILE",
    help="The signer's certificate in PEM, and behind it those up to the root. By default "
    "$TIDEGATE_MODEL_SIGNING_CERTIFICATE where --key is not given.",
)
@click.option(
    "--bundle",
    metavar="FILE",
    help="Record this signature, which was made elsewhere, instead of making one.",
)
@click.option("--name", default="", help="What the signature calls the model; for people.")
@click.option(
    "--unchecked",
    is_flag=True,
    help="Sign a PATH whatever the gate says of it, with no ledger; needs --output.",
)
@click.option("-o", "--output", metavar="FILE", help="Also write the signature to this file.")
@click.option(
    "--actor",
    metavar="NAME",
    help="Who signs, for the record. By default $TIDEGATE_ACTOR, or else the system's user.",
)
@policy_option
@ledger_option
def command(
    reference: str,
    *,
    key: str | None,
    certificate: str | None,
    bundle: str | None,
    name: str,
    unchecked: bool,
    output: str | None,
    actor: str | None,
    policy: str | None,
    ledger: str | None,
) -> int:
    """Sign a model that passes the gate, in the form of OpenSSF Model Signing.

    A PATH is hashed; a REF (a digest, a decision's number or a name such as fraud/3) is looked
    up, and no bytes are needed. Every file is covered, git's too. The signature is kept in the
    ledger, never in the model; any tool for the form takes it:
    `model_signing verify key MODEL --signature FILE --public_key KEY --no-ignore-git-paths`.

    Exit code 0 when the model was signed and may be used, 1 when it is held, and so was not signed
    or by nobody whose signature counts.
    """
    from tidegate.settings import read_settings

    on_disk = is_path(reference)
    if output is not None and on_disk:
        check_output(output, [reference])
    if unchecked:
        if output is None or not on_disk or bundle is not None:
            raise click.UsageError("--unchecked needs a PATH, --output, and no --bundle")
        text = _signed_as_it_is(reference, _identity(key, certificate), name)
        write_or_emit(text, output)
        emit(f"Signed {_shown(reference)} as it is, unchecked: {_shown(output)}\n")
        return 0
    given = _read(bundle) if bundle is not None else None
    identity = None if bundle is not None else _identity(key, certificate)
    who = actor or read_settings().acting_user()
    with open_gate(ledger, policy) as gate:
        digest = _digest(gate, reference, on_disk)
        if identity is None:
            assert given is not None
            decision, made = gate.add_signature(digest, given, actor=who)
            done = "Recorded"
        else:
            decision, signature = gate.sign(digest, identity, actor=who, name=name)
            if signature is None:
                emit(f"{decision.explain()}\n  So it was not signed.\n")
                return 1
            made, done = signature, "Signed"
    if output is not None:
        write_or_emit(made.bundle, output)
    where = "" if output is None else f": {_shown(output)}"
    emit(f"{done} {_shown(reference)} ({digest}) as signature {made.id}{where}\n")
    if not decision.allowed:
        emit(f"{decision.explain()}\n")
    return 0 if decision.allowed else 1


def _identity(key: str | None, certificate: str | None) -> SigningIdentity:
    import os

    from tidegate.attestation.signatures.sign import (
        PASSWORD,
        SigningIdentity,
        identity_of_environment,
    )

    if key is not None:
        return SigningIdentity.from_files(key, certificate, os.environ.get(PASSWORD))
    if certificate is not None:
        raise click.UsageError("--certificate needs --key")
    identity = identity_of_environment()
    if identity is None:
        raise click.UsageError("nobody signs: give --key, or set TIDEGATE_MODEL_SIGNING_KEY")
    return identity


def _signed_as_it_is(path: str, identity: SigningIdentity, name: str) -> str:
    from tidegate.artifact import read_manifest
    from tidegate.attestation.signatures import sign_model

    called = name or Path(path).resolve().name
    return sign_model(read_manifest(path), identity, model_name=called)


def _digest(gate: Gate, reference: str, on_disk: bool) -> str:
    if on_disk:
        return gate.manifest_of(reference).digest
    return gate.ledger.resolve(reference)


def _read(path: str) -> str:
    from tidegate.cli.signature_options import read_signature

    return read_signature(path).decode("utf-8", "surrogateescape")


def _shown(text: str) -> str:
    from tidegate.policy.explain import printable

    return printable(text)
