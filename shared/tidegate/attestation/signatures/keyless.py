"""Signers by Sigstore: a short-lived certificate for an identity, entered into a public log.

The check is that of sigstore-python, from the extra `tidegate[signing]`. Always holds: the trust
root is a file that is given (`trusted_root.json`), and the bundle carries all the rest, so nothing
is asked of the network; both the identity and who vouched for it (the issuer) are demanded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tidegate.attestation.signatures.bundle import Bundle
from tidegate.attestation.signatures.interface import (
    ModelSignatureError,
    SignerKind,
    SignerUnknownError,
    SigningExtraMissingError,
    Trust,
)
from tidegate.attestation.statements import PAYLOAD_TYPE
from tidegate.errors import UsageError


class SigstoreTrust(Trust):
    """One identity, as one issuer vouches for it.

    Args:
        owner: what people call it.
        trusted_root: the text of Sigstore's `trusted_root.json`.
        identity: the e-mail address or URI in the signer's certificate.
        issuer: the OpenID Connect issuer's URL.

    Raises:
        UsageError: the identity or the issuer is empty.
    """

    kind = SignerKind.SIGSTORE

    def __init__(self, owner: str, trusted_root: str, identity: str, issuer: str) -> None:
        if not identity or not issuer:
            raise UsageError(
                f"the Sigstore signer {owner!r} needs an identity and an issuer",
                remedy="anybody can sign with Sigstore; say whose signature counts",
            )
        self.owner, self._trusted_root = owner, trusted_root
        self._identity, self._issuer = identity, issuer
        self._verifier: Any = None

    def owner_of(self, bundle: Bundle, *, at: datetime) -> str:  # noqa: ARG002 - the log's own time counts
        """The owner, where certificate, log entry and signature hold together."""
        try:
            from sigstore import models
            from sigstore.verify.policy import Identity
        except ImportError as error:
            raise SigningExtraMissingError(
                f"the Sigstore signature can't be checked here: {error}",
                remedy="in a clone of Tidegate's repository: pip install '.[signing]'",
            ) from error
        policy = Identity(identity=self._identity, issuer=self._issuer)
        try:
            read = models.Bundle.from_json(bundle.text)
            kind, payload = self._checker().verify_dsse(read, policy)
        except UsageError:
            raise
        except Exception as error:
            # A hostile bundle brings out of it more kinds than its own.
            raise SignerUnknownError(
                f"the Sigstore signature is not one of {self._identity!r}: {error}"
            ) from error
        if kind != PAYLOAD_TYPE or payload != bundle.payload:
            raise ModelSignatureError("the Sigstore signature is over something else")
        return self.owner

    def _checker(self) -> Any:
        if self._verifier is None:
            from sigstore.models import TrustedRoot
            from sigstore.verify import Verifier
            from sigstore_models.trustroot.v1 import TrustedRoot as Content

            try:
                root = TrustedRoot(Content.from_json(self._trusted_root))
            except Exception as error:
                raise UsageError(
                    f"the trust root of {self.owner!r} can't be read: {error}",
                    remedy="give Sigstore's trusted_root.json",
                ) from error
            self._verifier = Verifier(trusted_root=root)
        return self._verifier
