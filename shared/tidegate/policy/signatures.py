"""Which signatures over a model a policy demands, and what was found of those on record.

Who signed is told elsewhere, from the bytes of the signature and what stands here of the signer;
the decision gets what that came to. Always holds: what makes a signer known (key, roots, trust
root) stands here in full, so that the policy's digest names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody whose signature counts: by a key, by a certificate, or by Sigstore.

    One of `key` (PEM), `roots` (certificates in PEM) and `trusted_root` (Sigstore's JSON) is set.
    `identity` is the name in the certificate; None with roots is whoever they vouch for. `issuer`
    is who vouches for an identity of Sigstore's. `since` and `until` are the key's own time, in
    ISO 8601.
    """

    owner: str
    key: str | None = None
    roots: str | None = None
    trusted_root: str | None = None
    identity: str | None = None
    issuer: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class SignatureDemand:
    """The actions for which a model must be signed, and by whom: by any one of these."""

    actions: tuple[str, ...]
    signers: tuple[Signer, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, what is not set left out; `demand_from_dict` is its inverse."""
        return {
            "actions": list(self.actions),
            "signers": [
                {name: value for name, value in asdict(signer).items() if value is not None}
                for signer in self.signers
            ],
        }


def demand_from_dict(data: Mapping[str, Any]) -> SignatureDemand:
    """Read what `to_dict` wrote; KeyError, TypeError or ValueError where it is not that."""
    signers = tuple(Signer(**each) for each in data["signers"])
    return SignatureDemand(**{**data, "actions": tuple(data["actions"]), "signers": signers})


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """What was found of one signature on record.

    `owner` is the signer of the policy whose it is; None where it does not count, and `problem`
    then says why.
    """

    id: int
    owner: str | None
    problem: str = ""
