"""Holding a signature against a model: who signed, and is it over exactly these files?

Always holds: what was signed is read only after somebody who is believed is known to have signed
it, and a model is covered only where each of its files is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tidegate.artifact.manifest import Manifest
from tidegate.attestation.keys import KeyList, PublicKey
from tidegate.attestation.signatures.bundle import Bundle, hint_at, read_bundle
from tidegate.attestation.signatures.certificates import require_signed
from tidegate.attestation.signatures.interface import (
    SignerKind,
    SignerUnknownError,
    Trust,
    Verified,
)
from tidegate.attestation.signatures.sign import require_curve
from tidegate.attestation.signatures.statement import (
    ModelStatement,
    read_statement,
    require_covered,
)
from tidegate.errors import UsageError


class KeyTrust(Trust):
    """The ECDSA keys of a list, each within its time. Keys of other kinds can't sign models.

    Raises:
        UsageError: the list has no ECDSA key.
    """

    kind = SignerKind.KEY

    def __init__(self, keys: KeyList) -> None:
        self._keys = tuple(each for each in keys.values() if each.key.key.keytype == "ecdsa")
        if not self._keys:
            raise UsageError(
                "nothing says whose signatures count: the key list has no ECDSA key, and models "
                "are signed by no other kind",
                remedy="name the signer's public key with --key FILE, in the policy, or in the "
                "list of TIDEGATE_TRUSTED_KEYS",
            )

    def owner_of(self, bundle: Bundle, *, at: datetime) -> str:
        """The owner of the key that signed."""
        named = [
            each for each in self._keys if bundle.hint is None or hint_at(each.key) == bundle.hint
        ]
        for trusted in named:
            try:
                require_signed(bundle, trusted.key)
            except SignerUnknownError:
                continue
            if not trusted.counts_at(at):
                raise SignerUnknownError(
                    f"the key of {trusted.owner!r} does not count at {at:%Y-%m-%d %H:%M} UTC",
                    remedy="have it signed anew with a key that counts",
                )
            return trusted.owner
        shown = bundle.hint[:16] if bundle.hint else "none"
        raise SignerUnknownError(f"no key that is believed made it (it names the key {shown})")


def key_trust(owner: str, pem: str) -> KeyTrust:
    """Trust in one public key; UsageError where it is none that signs models."""
    from tidegate.attestation.keys import TrustedKey

    key = PublicKey.from_pem(pem)
    require_curve(key)
    return KeyTrust(KeyList([TrustedKey(key, owner)]))


def verify_model(
    data: bytes, manifest: Manifest, trusts: Sequence[Trust], *, at: datetime
) -> Verified:
    """Check a signature over a model.

    Args:
        data: the signature, as the file holds it.
        manifest: the model's files, as they are now.
        trusts: whose signatures count.
        at: when the signer must count: when the signature was recorded, or now.

    Raises:
        ModelSignatureError: it is no signature over exactly these files by any of them.
        SigningExtraMissingError: that can't be told without `tidegate[signing]`.
        UsageError: nobody is believed, so no signature could count.
    """
    if not trusts:
        raise UsageError(
            "it is not known whose model signatures count",
            remedy="name them in the policy under signatures, or give a key, roots or a trust root",
        )
    bundle = read_bundle(data)
    owner = _owner_of(bundle, trusts, at)
    statement = read_statement(bundle.payload)
    require_covered(statement, manifest)
    return Verified(owner, bundle.kind, statement.model_name)


def claimed_statement(data: bytes) -> ModelStatement:
    """What a signature says that it is over, whoever made it; ModelSignatureError if it is none."""
    return read_statement(read_bundle(data).payload)


def _owner_of(bundle: Bundle, trusts: Sequence[Trust], at: datetime) -> str:
    problems: list[SignerUnknownError] = []
    for trust in trusts:
        if trust.kind is not bundle.kind:
            continue
        try:
            return trust.owner_of(bundle, at=at)
        except SignerUnknownError as error:
            problems.append(error)
    if not problems:
        raise SignerUnknownError(
            f"the signature is by {_SAYS[bundle.kind]}, and nobody who signs so is believed",
            remedy="name the signer in the policy under signatures",
        )
    told = "; ".join(dict.fromkeys(error.message for error in problems))
    raise SignerUnknownError(
        f"the signature is by nobody whose signatures count: {told}",
        remedy=next((error.remedy for error in problems if error.remedy), None)
        or "look where the signature comes from; if the signer is right, name him in the policy",
    )


_SAYS = {
    SignerKind.KEY: "a key",
    SignerKind.CERTIFICATE: "a certificate",
    SignerKind.SIGSTORE: "an identity of Sigstore's",
}
