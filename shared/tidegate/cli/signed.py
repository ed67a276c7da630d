"""What `--signature` demands of a model, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tidegate.cli.output import is_path
from tidegate.cli.signature_options import SignerOptions, read_signature, trusts_by
from tidegate.errors import ArtifactChangedError, RecordNotFoundError

if TYPE_CHECKING:
    from tidegate.artifact.manifest import Manifest
    from tidegate.gate import Gate
    from tidegate.policy.model import Policy


@dataclass(frozen=True, slots=True)
class SignatureResult:
    """Whether a signature that counts is over the model; by whom, or why not."""

    counts: bool
    owner: str | None = None
    kind: str | None = None
    model_name: str | None = None
    number: int | None = None
    problem: str | None = None
    remedy: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "counts": self.counts,
            "owner": self.owner,
            "kind": self.kind,
            "model_name": self.model_name,
            "number": self.number,
            "problem": self.problem,
            "remedy": self.remedy,
        }

    def line(self) -> str:
        """What a person reads, with nothing in it that could drive a terminal."""
        from tidegate.policy.explain import printable

        if self.counts:
            which = "" if self.number is None else f", signature {self.number}"
            named = f"named {self.model_name!r} by its signer"
            return printable(f"Signed by {self.owner} ({self.kind}{which}; {named}).")
        remedy = f" To mend it: {self.remedy}." if self.remedy else ""
        return printable(f"NOT SIGNED as demanded: {self.problem}.{remedy}")


class SignatureDemanded:
    """A signature in a file, or where none is given one on record, by signers that count.

    Raises:
        UsageError: it is not known whose signatures count, or the file can't be read.
    """

    def __init__(self, file: str | None, signers: SignerOptions, policy: Policy) -> None:
        self._trusts = trusts_by(signers, policy)
        self._data = None if file is None else read_signature(file)

    def check(self, gate: Gate, digest: str, reference: str) -> SignatureResult:
        """Whether the model of a digest is signed as demanded.

        Args:
            gate: with the ledger that has the signatures.
            digest: of the model, as was just found.
            reference: what it was asked for by: a path, where it is one.

        Raises:
            ArtifactError: the files at the path can't be read, or changed meanwhile.
            OperatorError: it can't be told, such as for want of a library.
        """
        if is_path(reference):
            manifest = gate.manifest_of(reference)
            if manifest.digest != digest:
                raise ArtifactChangedError(f"{reference!r} changed while it was verified")
        else:
            try:
                manifest = gate.ledger.manifest(digest)
            except RecordNotFoundError:
                return SignatureResult(
                    counts=False, problem="no files are on record for these bytes"
                )
        if self._data is not None:
            return self.check_file(manifest)
        problem = SignatureResult(
            counts=False,
            problem="no signature over it is on record",
            remedy="have it approved or signed (`tidegate sign`)",
        )
        for recorded in reversed(gate.ledger.signatures_for(digest)):
            found = self._verified(
                recorded.bundle.encode(), manifest, recorded.created_at, recorded.id
            )
            if found.counts:
                return found
            problem = found
        return problem

    def check_file(self, manifest: Manifest) -> SignatureResult:
        """Whether the signature of the file is over these files."""
        assert self._data is not None
        return self._verified(self._data, manifest, datetime.now(UTC), None)

    def _verified(
        self, data: bytes, manifest: Manifest, at: datetime, number: int | None
    ) -> SignatureResult:
        from tidegate.attestation.signatures import ModelSignatureError, verify_model

        try:
            found = verify_model(data, manifest, self._trusts, at=at)
        except ModelSignatureError as error:
            return SignatureResult(
                counts=False, number=number, problem=error.message, remedy=error.remedy
            )
        return SignatureResult(
            counts=True,
            owner=found.owner,
            kind=found.kind.value,
            model_name=found.model_name,
            number=number,
        )
