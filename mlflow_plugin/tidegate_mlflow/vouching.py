"""What vouches for a model that a client is about to load: its registry, and a ledger.

A gated registry names the digest of each version in a tag that nobody else can write, and refuses
the download of what is held. A ledger (`TIDEGATE_LEDGER`), where the client has one, is asked by
the digest of the very bytes at hand.

Always holds: "nobody vouches" is told from "somebody refuses" and from "nobody could be asked".
The last two raise; the first lets pass only where nothing is required.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, PERMISSION_DENIED
from mlflow.tracking import MlflowClient

from tidegate.artifact import Manifest
from tidegate.errors import TidegateError
from tidegate.gate import Gate
from tidegate.policy import Action
from tidegate.policy.grounds import UNSCANNED
from tidegate.settings import Settings, read_settings
from tidegate_mlflow import client_host
from tidegate_mlflow.names import DEPLOY_TAG, DIGEST_TAG, RESERVED_PREFIX, UNREAD

_log = logging.getLogger(f"mlflow.{__name__}")

_PAGES = 20
_KEPT = 64
_lock = threading.Lock()
_whole: OrderedDict[str, Manifest] = OrderedDict()
_PROBE = f"{RESERVED_PREFIX}probe"


class RefusedOnLoadError(MlflowException):
    """403 on this side: what was downloaded may not be loaded, so it is not handed over."""

    def __init__(self, message: str) -> None:
        super().__init__(message, error_code=PERMISSION_DENIED)


@dataclass(frozen=True, slots=True)
class Version:
    """One version as a registry has it. `digest` is None where the registry names none."""

    name: str
    number: str
    source: str
    digest: str | None

    @classmethod
    def of(cls, version: ModelVersion) -> Version:
        """Read what MLflow's client returns."""
        return cls(
            str(version.name),
            str(version.version),
            str(version.source or ""),
            (version.tags or {}).get(DIGEST_TAG),
        )

    @property
    def subject(self) -> str:
        """How decisions call it."""
        return f"{self.name}/{self.number}"


@dataclass(frozen=True, slots=True)
class Claim:
    """The versions that a download is said to be of; any of them may vouch for its bytes.

    `admitted` is set where the registry was asked about this very version a moment ago, and gave
    out its location.
    """

    shown: str
    versions: tuple[Version, ...] = ()
    admitted: bool = False

    @property
    def registered(self) -> bool:
        """Whether a gated registry has said anything about it."""
        return any(version.digest for version in self.versions)

    def digest_of_one(self) -> str | None:
        """The digest, where all versions agree about it."""
        digests = {version.digest for version in self.versions if version.digest}
        return digests.pop() if len(digests) == 1 and UNREAD not in digests else None


def settings_of_process() -> Settings:
    """This process's settings.

    Raises:
        MlflowException: one of them can't be used, so nothing can be loaded.
    """
    try:
        return read_settings()
    except TidegateError as error:
        raise MlflowException(
            f"Tidegate: {error.explain()}", error_code=INVALID_PARAMETER_VALUE
        ) from error


def claim_of_version(name: str, number: str, shown: str) -> Claim:
    """What the registry says of a version whose location it has just given out."""
    if not client_host.registry_has_tags():
        return Claim(shown)
    found = _client().get_model_version(name, str(number))
    return Claim(shown, (Version.of(found),), admitted=True)


def claim_of_sources(sources: Iterable[str], shown: str) -> Claim:
    """What the registry says of bytes that versions may have been made from."""
    found: dict[str, Version] = {}
    if client_host.registry_has_tags():
        for source in dict.fromkeys(sources):
            if "'" in source:
                continue  # the language of searches has no such text, and no version of ours
            for version in _search(f"source_path = '{source}'"):
                found[version.subject] = version
    return Claim(shown, tuple(found.values()))


def place_of_logged_model(model_id: str) -> str:
    """Where a logged model's bytes lie, as versions may name it."""
    return str(_client().get_logged_model(model_id).artifact_location)


def versions_of_run(run_id: str) -> tuple[Version, ...]:
    """The versions that name a run as theirs, where a gated registry has them."""
    if not client_host.registry_has_tags() or not run_id.isalnum():
        return ()
    return tuple(version for version in _search(f"run_id = '{run_id}'") if version.digest)


def check(claim: Claim, manifest: Manifest, settings: Settings) -> None:
    """Return where these bytes may be loaded; log who vouched.

    Raises:
        RefusedOnLoadError: they are not what was registered, or are held, or nobody vouches for
            them and that is required.
        MlflowException: the registry can't be asked.
    """
    vouched = _check_registry(claim, manifest.digest, settings)
    vouched = _check_ledger(claim, manifest, settings, vouched)
    if vouched is None:
        require_nothing(claim, settings)
        return
    _log.debug("%s: %s, vouched for by %s.", claim.shown, manifest.digest[:19], vouched)


def check_deployment(claim: Claim, manifest: Manifest, settings: Settings, target: str) -> str:
    """Return who lets these bytes be deployed; somebody must.

    Args:
        claim: the versions that the bytes are said to be of.
        manifest: the bytes at hand.
        settings: this process's.
        target: where to, for the record.

    Raises:
        RefusedOnLoadError: they are not what was registered, or may not be deployed, or nobody
            says that they may.
        MlflowException: the registry can't be asked, or refuses.
    """
    vouched = None
    if claim.registered and _is_gated(claim.versions[0]):
        version = _version_of(claim, manifest.digest)
        _client().set_model_version_tag(version.name, version.number, DEPLOY_TAG, target)
        vouched = f"the registry's version {version.subject}"
    if settings.ledger is not None:
        vouched = _check_ledger(claim, manifest, settings, vouched, Action.DEPLOY)
    if vouched is None:
        raise RefusedOnLoadError(
            f"Tidegate: nobody vouches for {claim.shown}, so it is not deployed to {target}.\n"
            "  To mend it: deploy a version of a gated registry, or set TIDEGATE_LEDGER to a "
            "ledger that knows these bytes (`tidegate scan --record PATH`)"
        )
    _log.info(
        "%s goes to %s: %s, vouched for by %s.", claim.shown, target, manifest.digest[:19], vouched
    )
    return vouched


def require_nothing(claim: Claim, settings: Settings) -> None:
    """Raise where somebody must vouch for what is loaded, for here nobody does."""
    if settings.verify_on_load == "require":
        raise RefusedOnLoadError(
            f"Tidegate: nobody vouches for {claim.shown}, and TIDEGATE_VERIFY_ON_LOAD=require\n"
            "  To mend it: load a version of a gated registry, or set TIDEGATE_LEDGER to a ledger "
            "that knows these bytes (`tidegate scan --record PATH`)"
        )


def _check_registry(claim: Claim, digest: str, settings: Settings) -> str | None:
    """Who of the registry's versions vouches for the digest, if any says anything at all."""
    if not claim.registered:
        return None
    if settings.verify_on_load == "require" and not _is_gated(claim.versions[0]):
        return None
    newest = _version_of(claim, digest)
    if not claim.admitted:
        # Gives out the location of what is allowed, and refuses what is held with its reasons.
        _client().get_model_version_download_uri(newest.name, newest.number)
    return f"the registry's version {newest.subject}"


def _version_of(claim: Claim, digest: str) -> Version:
    """The newest of the versions that have these bytes.

    Raises:
        RefusedOnLoadError: none has.
    """
    same = [version for version in claim.versions if version.digest == digest]
    if not same:
        for version in claim.versions:
            if version.digest == UNREAD:
                # The registry holds it, and says why better than we could.
                _client().get_model_version_download_uri(version.name, version.number)
        said = ", ".join(f"{v.subject} has {v.digest}" for v in claim.versions if v.digest)
        raise RefusedOnLoadError(
            f"Tidegate: CHANGED. The bytes of {claim.shown} are not those that were registered, "
            f"so they are not loaded: what arrived hashes to {digest}, and {said}.\n"
            "  To mend it: find out who changed them, in the artifact store or on the way here; "
            "register the new bytes as a version of their own, if they are yours"
        )
    return max(same, key=lambda version: (version.name, int(version.number)))


def _check_ledger(
    claim: Claim,
    manifest: Manifest,
    settings: Settings,
    vouched: str | None,
    action: Action = Action.LOAD,
) -> str | None:
    """Ask the client's own ledger, where it has one, about the very bytes at hand."""
    if settings.ledger is None:
        return vouched
    subject = claim.versions[0].subject if claim.versions else ""
    try:
        gate = _gate(settings.ledger_url(), settings.policy, os.getpid())
        # With the manifest: what holds one file of it holds it, though nobody has scanned it.
        decision = gate.stand(manifest.digest, action, manifest=manifest, subject=subject)
    except TidegateError as error:
        raise RefusedOnLoadError(f"Tidegate: {error.explain()}") from error
    if decision.allowed:
        return "the ledger" if vouched is None else f"{vouched} and the ledger"
    if all(reason.rule == UNSCANNED for reason in decision.reasons):
        # Where it is the ledger that must vouch, the registry's word is not enough.
        return None if settings.verify_on_load == "require" else vouched
    raise RefusedOnLoadError(decision.explain())


@functools.lru_cache(maxsize=4)
def _gate(ledger: str, policy: str | None, process: int) -> Gate:
    """One gate a process: a fork must not use its parent's connections."""
    del process
    return Gate.open(ledger=ledger, policy=policy, make_ledger=False)


def remember(manifest: Manifest) -> None:
    """Keep the manifest of what was checked as a whole, for parts of it that are asked for."""
    with _lock:
        _whole[manifest.digest] = manifest
        _whole.move_to_end(manifest.digest)
        while len(_whole) > _KEPT:
            _whole.popitem(last=False)


def manifest_on_record(digest: str, settings: Settings) -> Manifest | None:
    """The manifest of a digest, from a whole or a ledger at hand: a part is checked by it."""
    with _lock:
        known = _whole.get(digest)
    if known is not None or settings.ledger is None:
        return known
    try:
        return _gate(settings.ledger_url(), settings.policy, os.getpid()).ledger.manifest(digest)
    except TidegateError as error:
        _log.info("no manifest of %s: %s", digest, error.message)
        return None


def _client() -> MlflowClient:
    return MlflowClient(registry_uri=mlflow.get_registry_uri())


def _search(question: str) -> list[Version]:
    found: list[Version] = []
    token: str | None = None
    for _ in range(_PAGES):
        try:
            page = _client().search_model_versions(question, page_token=token)
        except MlflowException as error:
            if error.get_http_status_code() in {404, 501}:
                return found  # this tracking server keeps no registry
            raise
        found += [Version.of(version) for version in page]
        token = page.token
        if not token:
            return found
    raise RefusedOnLoadError(
        f"Tidegate: more versions than can be looked through match {question!r}.\n"
        "  To mend it: load the model as models:/name/version"
    )


def _is_gated(version: Version) -> bool:
    """Whether the registry keeps our tags from others, so that they are worth something.

    Deletes a tag that no version has: a gated registry refuses that, any other has no such tag.
    """
    try:
        _client().delete_model_version_tag(version.name, version.number, _PROBE)
    except MlflowException as error:
        if error.get_http_status_code() == 403 and RESERVED_PREFIX in str(error):
            return True
    _log.warning(
        "%s carries Tidegate's tags, but its registry does not keep them from others, or does "
        "not let you ask; they count for nothing.",
        version.subject,
    )
    return False
