"""The chain that a policy can demand, and what of it is missing: pure, over facts of the ledger.

A chain leads from data sets and base models through recorded steps to the artifact. What has no
step of its own is a source, and stands where the chain may begin.

Always holds: what is missing is named, one gap for each place; facts that are not there count as
missing; more gaps than can be listed are one gap more, never fewer.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from tidegate.policy.lineage import Gap, short_hash

CHAIN_STEP = "CHAIN-STEP"
CHAIN_INPUTS = "CHAIN-INPUTS"
CHAIN_SIGNATURE = "CHAIN-SIGNATURE"
CHAIN_ROLE = "CHAIN-ROLE"
CHAIN_SOURCE = "CHAIN-SOURCE"

MAX_GAPS = 100

AROUND = frozenset({"code", "environment"})
"""Roles of what a step ran with, as opposed to what it made its outputs from."""
_RECORD = "make it in a recorded step (`with tidegate.step(…)`, or `tidegate attest run`)"
_ESCAPED = re.compile(r"%(?:2e|2f|5c|25)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KnownGood:
    """One published checksum: of a file's content, or an artifact's root digest.

    `sha256` is 64 hex digits; `name` is what the publisher calls it.
    """

    publisher: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Chain:
    """What a policy demands of where an artifact came from.

    `actions` are those that demand it. `unbroken`: the artifact, and whatever it was made from
    that is no data set, was made by steps on record that ended well and name their inputs.
    `signed`: each of those steps is signed by a key that is trusted. `roles`: inputs of these
    roles are on record somewhere in the chain. `origins` are prefixes of addresses and
    `known_good` checksums: where either is given, what no step made and is no code or environment
    comes from one of these. `checks_sources` says so even where both are empty, which none meets.
    """

    actions: tuple[str, ...]
    unbroken: bool = True
    signed: bool = True
    roles: tuple[str, ...] = ()
    checks_sources: bool = False
    origins: tuple[str, ...] = ()
    known_good: tuple[KnownGood, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `chain_from_dict` is its inverse."""
        return {
            **asdict(self),
            "actions": list(self.actions),
            "roles": list(self.roles),
            "origins": list(self.origins),
            "known_good": [[each.publisher, each.name, each.sha256] for each in self.known_good],
        }


def chain_from_dict(data: dict[str, Any]) -> Chain:
    """Read what `Chain.to_dict` wrote; KeyError, TypeError or ValueError where it is not that."""
    return Chain(
        **{
            **data,
            "actions": tuple(data["actions"]),
            "roles": tuple(data["roles"]),
            "origins": tuple(data["origins"]),
            "known_good": tuple(KnownGood(*each) for each in data["known_good"]),
        }
    )


@dataclass(frozen=True, slots=True)
class StepFact:
    """A step of the chain: `unsigned` says why its signature does not count, None where it does.

    `at` is its beginning in ISO 8601; `inputs` how many inputs are on record for it.
    """

    id: str
    name: str
    at: str
    outcome: str
    inputs: int
    unsigned: str | None


@dataclass(frozen=True, slots=True)
class SourceFact:
    """Something that no step on record made, with what the steps that used it say of it.

    `content` is the SHA-256 of the file's bytes where it is a single file; `read` whether its bytes
    were at hand, and not only a digest that somebody named.
    """

    digest: str
    name: str
    role: str
    content: str | None
    uris: tuple[str, ...]
    read: bool


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What is on record about where an artifact came from.

    `made`: a step on record made it, or files of it; `unmade` are its files that none made, as
    (path, SHA-256).
    """

    digest: str
    content: str | None = None
    made: bool = False
    unmade: tuple[tuple[str, str], ...] = ()
    steps: tuple[StepFact, ...] = ()
    sources: tuple[SourceFact, ...] = ()
    roles: tuple[str, ...] = ()


def gaps(chain: Chain | None, action: str, facts: ChainFacts) -> tuple[Gap, ...]:
    """What the chain that an action demands lacks; empty where nothing, or none is demanded."""
    if chain is None or action not in chain.actions:
        return ()
    return lacking(chain, facts)


def lacking(chain: Chain, facts: ChainFacts) -> tuple[Gap, ...]:
    """What the chain lacks, whatever the action."""
    found = list(_gaps(chain, facts))
    if len(found) <= MAX_GAPS:
        return tuple(found)
    rest = found[MAX_GAPS:]
    summary = Gap(
        rest[0].rule,
        "",
        f"the chain lacks {len(rest)} things more",
        "mend those that are listed first",
        short_hash(*(each.fingerprint for each in rest)),
    )
    return (*found[:MAX_GAPS], summary)


def _gaps(chain: Chain, facts: ChainFacts) -> Iterator[Gap]:
    if not facts.made:
        # Whatever needs no step of its own needs to be vouched for itself.
        if not chain.checks_sources or not _published(chain, facts.digest, facts.content):
            yield Gap(
                CHAIN_STEP,
                "",
                "the policy demands an unbroken chain, and no step on record made these bytes",
                f"{_RECORD}, or have it put on the policy's list of known-good checksums",
                facts.digest,
            )
        return
    if chain.unbroken:
        for path, sha256 in facts.unmade:
            yield Gap(
                CHAIN_STEP,
                path,
                "no step on record made this file, though one made others beside it",
                "name the whole folder as the step's output",
                f"{path} {sha256}",
            )
    for step in facts.steps:
        yield from _step_gaps(chain, step)
    for role in chain.roles:
        if role not in facts.roles:
            yield Gap(
                CHAIN_ROLE,
                "",
                f"no input of the role {role} is on record in the chain, which the policy demands",
                f"name it among the step's inputs, with the role {role}",
                role,
            )
    for source in facts.sources:
        yield from _source_gaps(chain, source)


def _step_gaps(chain: Chain, step: StepFact) -> Iterator[Gap]:
    called = f"step {step.name} of {step.at[:10]}"
    if chain.unbroken and step.outcome != "succeeded":
        yield Gap(
            CHAIN_STEP,
            "",
            f"{called} is on record as {step.outcome}, so what it left is not known to be whole",
            "run the step again to its end",
            step.id,
        )
    if chain.unbroken and not step.inputs:
        yield Gap(
            CHAIN_INPUTS,
            "",
            f"{called} names no inputs, so nobody knows what went into it",
            "name the step's inputs when it is recorded",
            step.id,
        )
    if chain.signed and step.unsigned is not None:
        yield Gap(
            CHAIN_SIGNATURE,
            "",
            f"{called}: {step.unsigned}",
            "have the step recorded by somebody whose key is on the list of "
            "TIDEGATE_TRUSTED_KEYS, or put the key on it",
            step.id,
        )


def _source_gaps(chain: Chain, source: SourceFact) -> Iterator[Gap]:
    called = " ".join(part for part in (source.role, source.name) if part) or source.digest
    if source.role in AROUND:
        return
    vouched = chain.checks_sources and (
        _published(chain, source.digest, source.content)
        or any(from_origin(chain.origins, uri) for uri in source.uris)
    )
    if chain.checks_sources and not vouched:
        namesake = next((each for each in chain.known_good if each.name == source.name), None)
        if namesake is not None:
            message = (
                f"{called} is called as {namesake.publisher} calls it, but its bytes are not the "
                f"published ones ({source.digest})"
            )
        elif source.uris:
            message = f"{called} comes from {source.uris[0]}, which is no verified origin"
        else:
            message = f"{called} is on no list of checksums, and nothing says where it comes from"
        yield Gap(
            CHAIN_SOURCE,
            source.name,
            message,
            "take it from an origin that the policy names, or have its checksum put on the list",
            source.digest,
        )
    elif chain.unbroken and source.role != "data" and not vouched:
        yield Gap(
            CHAIN_STEP,
            source.name,
            f"no step on record made the {called}, and the policy names no sources of such",
            f"{_RECORD}, or let the policy name its origin or checksum",
            source.digest,
        )
    if chain.unbroken and not source.read:
        yield Gap(
            CHAIN_INPUTS,
            source.name,
            f"the digest of {called} is only what the step's caller said: its bytes were not read",
            "give the step the path of the file or folder itself",
            f"read {source.digest}",
        )


def _published(chain: Chain, digest: str, content: str | None) -> bool:
    mine = {digest.removeprefix("sha256:"), content}
    return any(each.sha256 in mine for each in chain.known_good)


def from_origin(origins: tuple[str, ...], uri: str) -> bool:
    """Whether an address lies below one of the origins, at the end of a part of its path.

    Addresses that two readers might take for different places are below none: with a user name,
    an empty or upward part, an escaped slash, dot or backslash, blanks.
    """
    place = _place(uri)
    return place is not None and any(
        origin is not None and place[:2] == origin[:2] and place[2][: len(origin[2])] == origin[2]
        for origin in map(_place, origins)
    )


def is_origin(text: str) -> bool:
    """Whether a text can be an origin: an address with scheme and host that reads in one way."""
    return _place(text) is not None


def _place(uri: str) -> tuple[str, str, tuple[str, ...]] | None:
    if _ESCAPED.search(uri) or "\\" in uri or any(not 32 < ord(each) < 127 for each in uri):
        return None
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or parts.username is not None:
        return None
    path = unquote(parts.path).removeprefix("/").removesuffix("/")
    if path and posixpath.normpath(path) != path:
        return None
    host = parts.hostname if port is None else f"{parts.hostname}:{port}"
    return parts.scheme, host, tuple(path.split("/")) if path else ()
