"""The part of a policy file about signatures over models.

    signatures:
      actions: [load, deploy]                  # those that demand one; these by default
      signers:                                 # any one of them is enough
        - {owner: ml-platform, key: ml-platform.pub}
        - {owner: release, roots: roots.pem, identity: ml-release@example.com}
        - owner: ci
          trusted_root: trusted_root.json      # Sigstore's
          identity: https://github.com/acme/train/.github/workflows/sign.yml@refs/heads/main
          issuer: https://token.actions.githubusercontent.com

A key, roots and a trust root are files beside the policy, or stand there themselves. Always holds:
what can't be read, or could make no signature count, is an error of the policy; and all of it
becomes part of the policy, so that a file changed later is another policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from tidegate.policy.signatures import SignatureDemand, Signer
from tidegate.policy.yaml_file import FileProblems, read_text

_DEFAULT = ("deploy", "load")
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_TRUST_ROOT = "application/vnd.dev.sigstore.trustedroot"
_WAYS = ("key", "roots", "trusted_root")

_ActionName = Literal["register", "alias", "stage", "load", "deploy"]
_Text = Annotated[str, Field(min_length=1)]


class _SignerEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    owner: Annotated[str, Field(min_length=1, max_length=120)]
    key: _Text | None = None
    roots: _Text | None = None
    trusted_root: _Text | None = None
    identity: _Text | None = None
    any_identity: bool = False
    issuer: _Text | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_told_in_one_way(self) -> Self:
        ways = [way for way in _WAYS if getattr(self, way) is not None]
        if len(ways) != 1:
            raise ValueError(f"give one of {', '.join(_WAYS)}")
        (way,) = ways
        if way == "roots" and (self.identity is None) is not self.any_identity:
            raise ValueError(
                "give the identity in the signer's certificate, or any_identity: true for whoever "
                "has a certificate under these roots"
            )
        if way == "trusted_root" and (self.identity is None or self.issuer is None):
            raise ValueError("anybody can sign with Sigstore: give an identity and its issuer")
        fits = {
            "key": {"since", "until"},
            "roots": {"identity", "any_identity"},
            "trusted_root": {"identity", "issuer"},
        }[way]
        if strange := sorted(self.model_fields_set - fits - {"owner", way}):
            raise ValueError(f"a signer by {way} has no {strange[0]}")
        return self


class SignaturesSection(BaseModel):
    """The section `signatures` of a policy file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    actions: Annotated[list[_ActionName], Field(min_length=1)] | None = None
    signers: Annotated[list[_SignerEntry], Field(min_length=1, max_length=100)]


def demand_of(
    section: SignaturesSection,
    folder: Path | None,
    line: Callable[[tuple[int | str, ...]], int],
) -> SignatureDemand:
    """What a policy file demands.

    Args:
        section: as it stands in the file.
        folder: against which the names of files are read; None where there is no file.
        line: of what stands at a path in the file.

    Raises:
        FileProblems: a file can't be read, or does not hold what it should.
    """
    signers: list[Signer] = []
    problems: list[str] = []
    for number, entry in enumerate(section.signers):
        place = ("signatures", "signers", number)
        try:
            signers.append(_signer(entry, folder))
        except FileProblems as error:
            where = f"line {line(place)}: {'.'.join(map(str, place))}"
            problems += [f"{where}: {each}" for each in error.problems]
    if problems:
        raise FileProblems(*problems)
    return SignatureDemand(tuple(sorted(set(section.actions or _DEFAULT))), tuple(signers))


def section_of(demand: SignatureDemand) -> dict[str, object]:
    """The section that would give this demand, with what makes a signer known in place."""
    section = demand.to_dict()
    for signer in section["signers"]:
        for moment in {"since", "until"} & signer.keys():
            signer[moment] = datetime.fromisoformat(signer[moment])
        if "roots" in signer and "identity" not in signer:
            signer["any_identity"] = True
    return section


def _signer(entry: _SignerEntry, folder: Path | None) -> Signer:
    texts = {
        way: _content(way, value, folder)
        for way in _WAYS
        if (value := getattr(entry, way)) is not None
    }
    return Signer(
        owner=entry.owner,
        identity=entry.identity,
        issuer=entry.issuer,
        since=entry.since.isoformat() if entry.since else None,
        until=entry.until.isoformat() if entry.until else None,
        **texts,
    )


def _content(way: str, value: str, folder: Path | None) -> str:
    """What a file holds, or what stands in its place; FileProblems unless it is of use."""
    text = value
    if "-----BEGIN" not in value and not value.lstrip().startswith("{"):
        if folder is None:
            raise FileProblems(f"{value}: a policy that is no file has no files beside it")
        try:
            text = read_text(folder / value)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise FileProblems(f"{value}: can't be read: {why}") from error
        except FileProblems as error:
            raise FileProblems(f"{value}: {error.problems[0]}") from error
    {"key": _require_key, "roots": _require_roots, "trusted_root": _require_trust_root}[way](text)
    return text


def _require_key(text: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FileProblems(f"this is no public key in PEM: {error}") from error
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name not in _CURVES:
        raise FileProblems(
            "models are signed by ECDSA keys on P-256, P-384 or P-521 and no others (an ed25519 "
            "key, such as the ledger's, can't sign them)"
        )


def _require_roots(text: str) -> None:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise FileProblems(f"these are no certificates in PEM: {error}") from error


def _require_trust_root(text: str) -> None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileProblems(f"this is no JSON: {error}") from error
    kind = found.get("mediaType") if isinstance(found, dict) else None
    if not isinstance(kind, str) or not kind.startswith(_TRUST_ROOT):
        raise FileProblems("this is no trusted_root.json of Sigstore's")
