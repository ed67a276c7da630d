"""A signature by Sigstore counts with its identity, its issuer and a given trust root, offline."""

from __future__ import annotations

import base64
import json
import socket
from pathlib import Path

import pytest
from samples.model_signers import NOW, Sigstore

from tidegate.artifact import Manifest, read_manifest
from tidegate.attestation.signatures import (
    ModelSignatureError,
    SignerKind,
    SignerUnknownError,
    SigningExtraMissingError,
    SigstoreTrust,
    verify_model,
)
from tidegate.attestation.signatures.statement import statement_over
from tidegate.errors import UsageError

WHO = "https://github.com/acme/train/.github/workflows/sign.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"


@pytest.fixture(scope="module")
def sigstore() -> Sigstore:
    pytest.importorskip("sigstore", reason="needs tidegate[signing]")
    return Sigstore()


@pytest.fixture
def model(tmp_path: Path) -> Manifest:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"weights")
    return read_manifest(tmp_path / "model")


def _signed(sigstore: Sigstore, model: Manifest, who: str = WHO, issuer: str = ISSUER) -> bytes:
    return sigstore.sign(statement_over(model, "model"), who, issuer).encode()


def test_the_identity_that_is_asked_for_counts(sigstore: Sigstore, model: Manifest) -> None:
    trust = SigstoreTrust("ci", sigstore.trusted_root(), WHO, ISSUER)
    found = verify_model(_signed(sigstore, model), model, [trust], at=NOW)
    assert (found.owner, found.kind) == ("ci", SignerKind.SIGSTORE)


def test_nothing_is_asked_of_the_network(
    sigstore: Sigstore, model: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("something was asked of the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    trust = SigstoreTrust("ci", sigstore.trusted_root(), WHO, ISSUER)
    assert verify_model(_signed(sigstore, model), model, [trust], at=NOW).owner == "ci"


@pytest.mark.parametrize(
    ("who", "issuer"),
    [
        (WHO.replace("acme", "evil"), ISSUER),
        (WHO, "https://accounts.example.com"),
        (f"{WHO}x", ISSUER),
    ],
)
def test_another_identity_or_issuer_does_not_count(
    sigstore: Sigstore, model: Manifest, who: str, issuer: str
) -> None:
    trust = SigstoreTrust("ci", sigstore.trusted_root(), WHO, ISSUER)
    with pytest.raises(SignerUnknownError, match="not one of"):
        verify_model(_signed(sigstore, model, who, issuer), model, [trust], at=NOW)


def test_another_sigstore_does_not_count(sigstore: Sigstore, model: Manifest) -> None:
    trust = SigstoreTrust("ci", Sigstore().trusted_root(), WHO, ISSUER)
    with pytest.raises(SignerUnknownError):
        verify_model(_signed(sigstore, model), model, [trust], at=NOW)


@pytest.mark.parametrize("part", ["inclusionPromise", "inclusionProof", "canonicalizedBody"])
def test_an_entry_of_the_log_about_something_else_does_not_count(
    sigstore: Sigstore, model: Manifest, part: str
) -> None:
    bundle, other = json.loads(_signed(sigstore, model)), json.loads(_signed(sigstore, model))
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    entry[part] = other["verificationMaterial"]["tlogEntries"][0][part]
    trust = SigstoreTrust("ci", sigstore.trusted_root(), WHO, ISSUER)
    with pytest.raises(SignerUnknownError):
        verify_model(json.dumps(bundle).encode(), model, [trust], at=NOW)


def test_no_bundle_however_broken_ends_in_another_error(
    sigstore: Sigstore, model: Manifest
) -> None:
    trust = SigstoreTrust("ci", sigstore.trusted_root(), WHO, ISSUER)
    data = _signed(sigstore, model)
    bundle = json.loads(data)
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    for place in (bundle["verificationMaterial"]["certificate"], entry, entry["inclusionProof"]):
        for name, value in list(place.items()):
            for other in (each for each in (None, "", "AAAA", [], {}, 7) if each != value):
                place[name] = other
                with pytest.raises(ModelSignatureError):
                    verify_model(json.dumps(bundle).encode(), model, [trust], at=NOW)
            place[name] = value
    der = bytearray(base64.b64decode(bundle["verificationMaterial"]["certificate"]["rawBytes"]))
    for place_in in range(0, len(der), 7):
        der[place_in] ^= 0x55
        bundle["verificationMaterial"]["certificate"]["rawBytes"] = base64.b64encode(der).decode()
        with pytest.raises(ModelSignatureError):
            verify_model(json.dumps(bundle).encode(), model, [trust], at=NOW)
        der[place_in] ^= 0x55


def test_a_signature_without_its_entry_in_the_log_does_not_count(
    sigstore: Sigstore, model: Manifest
) -> None:
    bundle = json.loads(_signed(sigstore, model))
    bundle["verificationMaterial"]["tlogEntries"] = []
    trust = SigstoreTrust("ci", sigstore.trusted_root(), WHO, ISSUER)
    with pytest.raises(ModelSignatureError):
        verify_model(json.dumps(bundle).encode(), model, [trust], at=NOW)


def test_it_covers_the_files_of_the_model_and_no_others(
    sigstore: Sigstore, model: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "model" / "extra.py").write_text("print()\n")
    trust = SigstoreTrust("ci", sigstore.trusted_root(), WHO, ISSUER)
    with pytest.raises(ModelSignatureError, match=r"not signed: 'extra\.py'"):
        verify_model(_signed(sigstore, model), read_manifest(tmp_path / "model"), [trust], at=NOW)


@pytest.mark.parametrize(("who", "issuer"), [("", ISSUER), (WHO, "")])
def test_identity_and_issuer_are_both_demanded(who: str, issuer: str) -> None:
    with pytest.raises(UsageError, match="needs an identity and an issuer"):
        SigstoreTrust("ci", "{}", who, issuer)


def test_a_trust_root_that_is_none_is_the_callers_mistake(
    sigstore: Sigstore, model: Manifest
) -> None:
    trust = SigstoreTrust("ci", "{}", WHO, ISSUER)
    with pytest.raises(UsageError, match="can't be read"):
        verify_model(_signed(sigstore, model), model, [trust], at=NOW)


def test_without_the_extra_it_is_said_what_to_install(
    sigstore: Sigstore, model: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sigstore", None)
    trust = SigstoreTrust("ci", sigstore.trusted_root(), WHO, ISSUER)
    with pytest.raises(SigningExtraMissingError) as caught:
        verify_model(_signed(sigstore, model), model, [trust], at=NOW)
    assert ".[signing]" in caught.value.explain()
