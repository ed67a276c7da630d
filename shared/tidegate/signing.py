"""Model signatures between policy and ledger: what of those on record counts, and making new ones.

Always holds: a signature counts by what the policy says of the signer at the time when it was
recorded, and only for exactly the files on record; what can't be checked does not count, with the
reason.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from tidegate.errors import RecordNotFoundError, TidegateError
from tidegate.policy.model import Action, Policy
from tidegate.policy.signatures import SignatureCheck, SignatureDemand, Signer

if TYPE_CHECKING:
    from tidegate.artifact.manifest import Manifest
    from tidegate.attestation.signatures import SigningIdentity, Trust
    from tidegate.ledger.records import RecordedSignature

# Of those that do not count, so many are told of.
_TOLD = 10
_MESSAGE = 600


class Signatures(Protocol):
    """What is asked of a ledger here; a view of it within a transaction answers as well."""

    def manifest(self, digest: str) -> Manifest:
        """The manifest of a digest."""

    def signatures_for(self, digest: str) -> tuple[RecordedSignature, ...]:
        """All signatures over the files of a digest, the newest first."""


@lru_cache(maxsize=16)
def trusts_of(demand: SignatureDemand) -> tuple[Trust, ...]:
    """Whom a policy believes.

    Raises:
        UsageError: a signer of the policy is of no use.
    """
    return tuple(_trust(signer) for signer in demand.signers)


def checks(
    policy: Policy,
    action: Action,
    ledger: Signatures,
    digest: str,
    manifest: Manifest | None = None,
) -> tuple[SignatureCheck, ...]:
    """The newest signature on record that counts; where none does, why the newest do not.

    Nothing is looked up, and nothing returned, for an action that demands no signature.
    """
    if policy.signatures is None or action.value not in policy.signatures.actions:
        return ()
    recorded = ledger.signatures_for(digest)
    if not recorded:
        return ()
    if manifest is None:
        try:
            manifest = ledger.manifest(digest)
        except RecordNotFoundError:
            return ()
    trusts = trusts_of(policy.signatures)
    problems: list[SignatureCheck] = []
    for each in recorded:
        check = _check(each, manifest, trusts)
        if check.owner is not None:
            return (check,)
        problems.append(check)
    return tuple(problems[:_TOLD])


def signed(ledger: Signatures, digest: str, identity: SigningIdentity, *, name: str) -> str:
    """A signature over the files that are on record under a digest.

    Raises:
        RecordNotFoundError: no files are on record.
        UsageError: a name in the model would not be the same name everywhere.
    """
    from tidegate.attestation.signatures import sign_model

    return sign_model(ledger.manifest(digest), identity, model_name=name)


def require_signable(ledger: Signatures, digest: str) -> None:
    """Raise `UsageError` where the files on record under a digest can't be signed."""
    from tidegate.attestation.signatures.statement import statement_over

    try:
        manifest = ledger.manifest(digest)
    except RecordNotFoundError:
        return
    statement_over(manifest, digest)


def _check(
    recorded: RecordedSignature, manifest: Manifest, trusts: tuple[Trust, ...]
) -> SignatureCheck:
    from tidegate.attestation.signatures import verify_model

    try:
        found = verify_model(recorded.bundle.encode(), manifest, trusts, at=recorded.created_at)
    except TidegateError as error:
        # Some of it can be the signer's own words, such as the names in his certificate.
        return SignatureCheck(recorded.id, None, error.message[:_MESSAGE])
    return SignatureCheck(recorded.id, found.owner)


def _trust(signer: Signer) -> Trust:
    from tidegate.attestation.keys import KeyList, PublicKey, TrustedKey
    from tidegate.attestation.signatures import CertificateTrust, KeyTrust, SigstoreTrust

    if signer.key is not None:
        since, until = (
            None if moment is None else datetime.fromisoformat(moment)
            for moment in (signer.since, signer.until)
        )
        key = PublicKey.from_pem(signer.key)
        return KeyTrust(KeyList([TrustedKey(key, signer.owner, since, until)]))
    if signer.roots is not None:
        return CertificateTrust(signer.owner, signer.roots, signer.identity)
    return SigstoreTrust(
        signer.owner, signer.trusted_root or "", signer.identity or "", signer.issuer or ""
    )
