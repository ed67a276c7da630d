"""A registered model by its URI ("models:/fraud@champion", "models:/fraud/3"), as a host asks for.

Which version an alias stands for, and the version's bytes, are the registry's to say: an adapter
does, by the entry point `models` of the group `tidegate.registries`, so that the core knows no
registry. Which bytes the version should have is the ledger's to say.

Always holds: what a registry answers is checked against the ledger's registration of that very
version; a version that was deleted and made anew under its number is another one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tidegate.errors import OperatorError, RecordNotFoundError, UsageError

if TYPE_CHECKING:
    from tidegate.ledger.interface import LedgerReader

PREFIX = "models:/"
_VERSION = re.compile(r"models:/(?P<name>[^/@]+)/(?P<version>[1-9][0-9]*)")
_ALIAS = re.compile(r"models:/(?P<name>[^/@]+)@(?P<alias>[^/@]+)")
_GROUP = "tidegate.registries"
_REMEDY = (
    "in a clone of Tidegate's repository: pip install '.[mlflow]'; or give the version's number "
    "and --path"
)


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A version as its registry tells of it; `store` and `created_ms` as in a registration."""

    store: str
    name: str
    version: str
    created_ms: int
    source: str

    @property
    def subject(self) -> str:
        """What decisions call it."""
        return f"{self.name}/{self.version}"


class Registry(Protocol):
    """What an adapter for a model registry does."""

    def by_alias(self, name: str, alias: str) -> RegisteredModel:
        """The version that an alias stands for now; OperatorError where that can't be told."""

    def by_version(self, name: str, version: str) -> RegisteredModel:
        """The version of that number; OperatorError where that can't be told."""

    def download(self, model: RegisteredModel, folder: Path) -> Path:
        """Put the version's files into an empty folder; OperatorError where they are not given.

        Returns:
            The file or folder that is the model.
        """


def registry() -> Registry:
    """The adapter for the registry of this machine's settings.

    Raises:
        OperatorError: none is installed, or it can't be loaded.
    """
    found = next(iter(entry_points(group=_GROUP, name="models")), None)
    if found is None:
        raise OperatorError(
            "no adapter for a model registry is installed here",
            remedy=_REMEDY,
        )
    try:
        adapter: Registry = found.load()()
    except ImportError as error:
        raise OperatorError(
            f"the adapter for the model registry can't be loaded: {error}",
            remedy=_REMEDY,
        ) from error
    return adapter


def find(uri: str) -> RegisteredModel:
    """The version that a URI stands for, as the registry says.

    Raises:
        UsageError: the URI names neither an alias nor a version's number.
        OperatorError: the registry can't be asked, or does not know it.
    """
    if match := _ALIAS.fullmatch(uri):
        return registry().by_alias(match["name"], match["alias"])
    name, version = name_and_version(uri)
    return registry().by_version(name, version)


def name_and_version(uri: str) -> tuple[str, str]:
    """Name and number of a URI that has both; UsageError otherwise."""
    match = _VERSION.fullmatch(uri)
    if match is None:
        raise UsageError(
            f"{uri!r} names no version",
            remedy="give models:/NAME@ALIAS or models:/NAME/NUMBER; a stage, and latest, move",
        )
    return match["name"], match["version"]


def digest_by_number(ledger: LedgerReader, name: str, version: str) -> str:
    """The digest that a version of that name and number was registered with, by the ledger alone.

    What anybody may call the subject of a decision is no registration.

    Raises:
        RecordNotFoundError: there is no such registration.
        UsageError: there are several, with other bytes.
    """
    digest = ledger.resolve(f"{name}/{version}")
    if not any(
        (each.name, each.version) == (name, version) for each in ledger.registrations_of(digest)
    ):
        raise RecordNotFoundError(
            f"the ledger has no registration of {name}/{version}",
            remedy="see that TIDEGATE_LEDGER is the ledger of that registry's gate",
        )
    return digest


def digest_of(ledger: LedgerReader, model: RegisteredModel) -> str:
    """The digest of the bytes that the version was registered with.

    Raises:
        RecordNotFoundError: the version was not registered through the gate, or its bytes could
            not be read then.
    """
    registration = ledger.registration_known(
        model.store, model.name, model.version, model.created_ms, model.source
    )
    if registration is None or registration.digest is None:
        raise RecordNotFoundError(
            f"the ledger has no registration of {model.subject} with its bytes",
            remedy="see that TIDEGATE_LEDGER is the ledger of that registry's gate",
        )
    return registration.digest
