"""What is signed here others verify and read, and what others sign is verified here.

Sigstore's library has code of its own for envelopes, in-toto's has the protocol buffers of the
published statements and predicates, and CycloneDX' the schema of SBOMs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)
from samples.ledger_records import NOW, a_manifest
from samples.tampering import fill

from tidegate.attestation import KeyList, PublicKey, SigningKey, TrustedKey, open_envelope
from tidegate.attestation.envelopes import SignatureError
from tidegate.ledger import Ledger
from tidegate.ledger.bundle import export
from tidegate.ledger.coverage import FIELD
from tidegate.sbom import BomInput, build_bom

dsse = pytest.importorskip("sigstore.dsse", reason="Sigstore's library is not installed")

STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "fraud/3", "digest": {"sha256": "a" * 64}}],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {"number": 1, "ä": [None, True]},
}


@pytest.fixture(scope="module")
def private() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def envelopes(
    tmp_path_factory: pytest.TempPathFactory, private: ec.EllipticCurvePrivateKey
) -> list[bytes]:
    """Every kind of statement that a ledger signs, by a key of the kind that Sigstore takes."""
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    url = f"sqlite:///{tmp_path_factory.mktemp('others') / 'ledger.db'}"
    with Ledger.open(url, key=SigningKey.from_pem(pem)) as ledger:
        fill(ledger)
        manifest = a_manifest("one.pkl")
        given = BomInput(name="fraud", version="3", manifest=manifest, created_at=NOW)
        ledger.add_sbom(digest=manifest.digest, subject="fraud/3", body=build_bom(given), now=NOW)
        return [line.strip().encode() for line in export(ledger)]


def statements(envelopes: list[bytes]) -> Iterator[dict[str, Any]]:
    for envelope in envelopes:
        yield json.loads(base64.b64decode(json.loads(envelope)["payload"]))


def of_type(envelopes: list[bytes], predicate_type: str) -> list[dict[str, Any]]:
    found = [each for each in statements(envelopes) if each["predicateType"] == predicate_type]
    assert found
    return found


def test_sigstore_verifies_every_envelope_of_a_ledger(
    envelopes: list[bytes], private: ec.EllipticCurvePrivateKey
) -> None:
    for envelope in envelopes:
        payload = dsse._verify(private.public_key(), dsse.Envelope._from_json(envelope))
        assert payload == base64.b64decode(json.loads(envelope)["payload"])


def test_sigstore_refuses_them_with_one_byte_changed_or_by_another_key(
    envelopes: list[bytes], private: ec.EllipticCurvePrivateKey
) -> None:
    from sigstore.errors import VerificationError

    found = json.loads(envelopes[0])
    payload = base64.b64decode(found["payload"]).replace(b"FAILED", b"PASSED")
    forged = {**found, "payload": base64.b64encode(payload).decode()}
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    for key, data in ((private.public_key(), forged), (other, found)):
        with pytest.raises(VerificationError):
            dsse._verify(key, dsse.Envelope._from_json(json.dumps(data)))


def test_what_an_ed25519_key_signs_is_what_sigstore_would_have_signed() -> None:
    """Sigstore takes no such keys in envelopes, but says which bytes are signed."""
    from tidegate.attestation import Statement, Subject, seal

    key = SigningKey.generate()
    statement = Statement((Subject("x", f"sha256:{'a' * 64}"),), "https://example.com/p", {"a": 1})
    sealed = json.loads(seal(statement, key))
    envelope = dsse.Envelope._from_json(json.dumps(sealed))
    public = load_pem_public_key(key.public.pem.encode())
    public.verify(envelope.signature, envelope.pae())
    with pytest.raises(InvalidSignature):
        public.verify(envelope.signature, envelope.pae() + b" ")


class TestWhatSigstoreSigned:
    def sign(self, private: ec.EllipticCurvePrivateKey, statement: object = STATEMENT) -> bytes:
        contents = json.dumps(statement, indent=1).encode()
        return dsse._sign(private, dsse.Statement(contents)).to_json().encode()

    def trusting(self, private: ec.EllipticCurvePrivateKey) -> KeyList:
        pem = private.public_key().public_bytes(Encoding.PEM, _public_format())
        return KeyList([TrustedKey(PublicKey.from_pem(pem), "sigstore")])

    def test_is_opened_here(self, private: ec.EllipticCurvePrivateKey) -> None:
        signed = open_envelope(self.sign(private), self.trusting(private), at=datetime.now(UTC))
        assert signed.statement.predicate == STATEMENT["predicate"]
        assert [each.owner for each in signed.signers] == ["sigstore"]

    def test_is_refused_changed_or_by_another_key(
        self, private: ec.EllipticCurvePrivateKey
    ) -> None:
        sealed = self.sign(private)
        found = json.loads(sealed)
        changed = {**found, "payload": base64.b64encode(b"{}").decode()}
        other = ec.generate_private_key(ec.SECP256R1())
        for data, keys in (
            (json.dumps(changed).encode(), self.trusting(private)),
            (sealed, self.trusting(other)),
        ):
            with pytest.raises(SignatureError):
                open_envelope(data, keys, at=datetime.now(UTC))

    @pytest.mark.parametrize("keyid", [None, "", "SHA256:abc", "unnamed 1"])
    def test_counts_whatever_id_its_key_is_given(
        self, private: ec.EllipticCurvePrivateKey, keyid: str | None
    ) -> None:
        found = json.loads(self.sign(private))
        found["signatures"][0].pop("keyid", None)
        if keyid is not None:
            found["signatures"][0]["keyid"] = keyid
        data = json.dumps(found).encode()
        assert open_envelope(data, self.trusting(private), at=datetime.now(UTC)).signers

    def test_is_no_statement_of_another_kind(self, private: ec.EllipticCurvePrivateKey) -> None:
        older = {**STATEMENT, "_type": "https://in-toto.io/Statement/v0.1"}
        with pytest.raises(Exception, match="statement"):
            open_envelope(self.sign(private, older), self.trusting(private), at=datetime.now(UTC))


def test_every_statement_is_one_of_in_totos(envelopes: list[bytes]) -> None:
    from google.protobuf import json_format
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement as Theirs

    for each in statements(envelopes):
        read = json_format.ParseDict(each, statement_pb2.Statement())
        Theirs.copy_from_pb(read).validate()
        assert read.predicate_type == each["predicateType"]


def published(predicate: dict[str, Any]) -> dict[str, Any]:
    """A predicate without extension fields, which readers pass over: their names are URIs."""
    return {key: value for key, value in predicate.items() if "://" not in key}


def test_provenance_is_of_the_published_form(envelopes: list[bytes]) -> None:
    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2

    for each in of_type(envelopes, "https://slsa.dev/provenance/v1"):
        read = json_format.ParseDict(published(each["predicate"]), provenance_pb2.Provenance())
        assert read.build_definition.build_type
        assert read.build_definition.external_parameters
        assert read.run_details.builder.id == "https://ci.example.com/runner"
        assert read.run_details.metadata.started_on.ToDatetime(UTC) == NOW
        assert read.build_definition.resolved_dependencies[0].digest["sha256"]


def test_verification_summaries_are_of_the_published_form(envelopes: list[bytes]) -> None:
    from google.protobuf import json_format
    from in_toto_attestation.predicates.vsa.v1 import vsa_pb2

    for each in of_type(envelopes, "https://slsa.dev/verification_summary/v1"):
        predicate = published(each["predicate"])
        # A list by the specification; in the package's protocol buffers it is a single text.
        levels = predicate.pop("verifiedLevels")
        assert levels
        assert all(isinstance(level, str) for level in levels)
        # Of SLSA 1.1, which is newer than the package.
        version = predicate["verifier"].pop("version")
        assert all(isinstance(text, str) for pair in version.items() for text in pair)
        read = json_format.ParseDict(predicate, vsa_pb2.VerificationSummary())
        assert read.verifier.id
        assert read.resource_uri.startswith("tidegate:")
        assert read.policy.digest["sha256"]
        assert read.verification_result in {"PASSED", "FAILED"}
        assert read.time_verified.ToDatetime(UTC) == NOW


def test_test_results_are_of_the_published_form(envelopes: list[bytes]) -> None:
    from google.protobuf import json_format
    from in_toto_attestation.predicates.test_result.v0 import test_result_pb2

    for each in of_type(envelopes, "https://in-toto.io/attestation/test-result/v0.1"):
        read = json_format.ParseDict(published(each["predicate"]), test_result_pb2.TestResult())
        assert read.result in {"PASSED", "WARNED", "FAILED"}
        assert list(read.configuration)


def test_an_sbom_is_of_the_published_form(envelopes: list[bytes]) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    *_, last = of_type(envelopes, "https://cyclonedx.org/bom")
    document = {key: value for key, value in last["predicate"].items() if key != FIELD}
    assert document["bomFormat"] == "CycloneDX"
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    assert problem is None, problem


def _public_format() -> Any:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    return PublicFormat.SubjectPublicKeyInfo
