"""What the parts of this package share: who is believed, what a check came to, and its errors."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tidegate.errors import ArtifactError, OperatorError

if TYPE_CHECKING:
    from tidegate.attestation.signatures.bundle import Bundle


class ModelSignatureError(ArtifactError):
    """The signature can't be taken for one over this artifact by somebody who is believed."""


class SignerUnknownError(ModelSignatureError):
    """Nobody who is believed made the signature."""


class SigningExtraMissingError(OperatorError):
    """What is asked for needs a library of the extra `tidegate[signing]`, which is not here."""


class SignerKind(enum.StrEnum):
    """How a signature says who made it."""

    KEY = "key"
    CERTIFICATE = "certificate"
    SIGSTORE = "sigstore"


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that holds: who made it, in which way, and under which name of the model.

    The name is the signer's word for people; the files and their hashes are what is signed.
    """

    owner: str
    kind: SignerKind
    model_name: str


class Trust(ABC):
    """Somebody whose signatures count, and the way to tell them."""

    kind: SignerKind

    @abstractmethod
    def owner_of(self, bundle: Bundle, *, at: datetime) -> str:
        """Whose signature it is.

        Args:
            bundle: a signature of this kind.
            at: the time at which the signer must count: when the signature was recorded, or now.

        Raises:
            SignerUnknownError: not of anybody that this speaks for, or not at that time.
            SigningExtraMissingError: it can't be told without a library that is not installed.
        """
