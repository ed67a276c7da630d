"""Whose model signatures count, as options say it, and what a signature file comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tidegate.errors import UsageError

if TYPE_CHECKING:
    from tidegate.attestation.signatures import Trust
    from tidegate.policy.model import Policy

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class SignerOptions:
    """Signers by options; all empty where the policy's, or the trusted keys', are meant."""

    keys: tuple[str, ...] = ()
    roots: str | None = None
    trusted_root: str | None = None
    identity: str | None = None
    any_identity: bool = False
    issuer: str | None = None

    @property
    def given(self) -> bool:
        """Whether any of them says whose signature counts."""
        return bool(self.keys or self.roots or self.trusted_root)


def signer_options(function: _Decorated) -> _Decorated:
    """`--key`, `--roots`, `--trusted-root`, `--identity`, `--any-identity`, `--issuer`."""
    options = (
        click.option("--key", "keys", metavar="FILE", multiple=True, help="A public key in PEM."),
        click.option("--roots", metavar="FILE", help="Root certificates in PEM."),
        click.option("--trusted-root", metavar="FILE", help="Sigstore's trusted_root.json."),
        click.option("--identity", metavar="NAME", help="The name in the signer's certificate."),
        click.option("--any-identity", is_flag=True, help="Whoever the roots vouch for."),
        click.option("--issuer", metavar="URL", help="Who vouches for a Sigstore identity."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def trusts_by(options: SignerOptions, policy: Policy) -> tuple[Trust, ...]:
    """Whose signatures count: by the options, or the policy, or the list of trusted keys.

    Raises:
        UsageError: nobody's, or an option can't be used.
    """
    from tidegate.attestation.own_key import trusted_keys
    from tidegate.attestation.signatures import (
        CertificateTrust,
        KeyTrust,
        SigstoreTrust,
        key_trust,
    )
    from tidegate.signing import trusts_of

    if not options.given:
        if options.identity or options.issuer or options.any_identity:
            raise UsageError("an identity counts under --roots or --trusted-root only")
        if policy.signatures is not None:
            return trusts_of(policy.signatures)
        return (KeyTrust(trusted_keys()),)
    trusts: list[Trust] = [key_trust(path, _text(path, "key")) for path in options.keys]
    if options.roots is not None:
        if (options.identity is None) is not options.any_identity:
            raise UsageError("--roots needs --identity NAME, or --any-identity")
        roots = _text(options.roots, "roots")
        trusts.append(CertificateTrust(options.roots, roots, options.identity))
    if options.trusted_root is not None:
        root = _text(options.trusted_root, "trust root")
        who = options.identity or ""
        trusts.append(SigstoreTrust(options.trusted_root, root, who, options.issuer or ""))
    return tuple(trusts)


def read_signature(path: str) -> bytes:
    """A signature's file; UsageError where it can't be read."""
    from tidegate.attestation.signatures.bundle import MAX_BYTES

    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the signature {path!r} can't be read: {error.strerror}") from error


def _text(path: str, what: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"the {what} {path!r} can't be read: {why}") from error
