"""A statement counts only as signed, by whom the list believes, in the time of his key."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from tidegate.attestation import (
    KeyList,
    PublicKey,
    SignatureError,
    SigningKey,
    Statement,
    Subject,
    TrustedKey,
    open_envelope,
    seal,
)
from tidegate.attestation.statements import PAYLOAD_TYPE, canonical_json
from tidegate.errors import OperatorError, UsageError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
STATEMENT = Statement(
    (Subject("fraud/3", f"sha256:{'a' * 64}"),),
    "https://example.com/test/v1",
    {"number": 1, "ä": []},
)


def curve_key(curve: ec.EllipticCurve) -> SigningKey:
    key = ec.generate_private_key(curve)
    return SigningKey.from_pem(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


def trusting(*keys: SigningKey, **times: datetime) -> KeyList:
    return KeyList([TrustedKey(key.public, "ml-platform", **times) for key in keys])


@pytest.mark.parametrize(
    "make",
    [
        SigningKey.generate,
        lambda: curve_key(ec.SECP256R1()),
        lambda: curve_key(ec.SECP384R1()),
        lambda: curve_key(ec.SECP521R1()),
    ],
)
def test_what_was_sealed_is_what_is_opened_and_by_whom(make):
    key = make()
    signed = open_envelope(seal(STATEMENT, key), trusting(key), at=NOW)
    assert signed.statement == STATEMENT
    assert [trusted.key.id for trusted in signed.signers] == [key.id]


def test_the_signature_is_over_dsses_own_encoding(key):
    envelope = json.loads(seal(STATEMENT, key))
    payload = base64.b64decode(envelope["payload"])
    assert payload == STATEMENT.to_bytes()
    encoded = b"DSSEv1 %d %s %d %s" % (
        len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload,
    )  # fmt: skip
    public = load_pem_public_key(key.public.pem.encode())
    assert isinstance(public, Ed25519PublicKey)
    public.verify(base64.b64decode(envelope["signatures"][0]["sig"]), encoded)


def test_two_signers_are_both_named(key):
    second = SigningKey.generate()
    signed = open_envelope(seal(STATEMENT, key, second), trusting(key, second), at=NOW)
    assert {trusted.key.id for trusted in signed.signers} == {key.id, second.id}


def altered(envelope: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(envelope), **fields}).encode()


def test_what_was_altered_does_not_open(key):
    envelope = seal(STATEMENT, key)
    other = Statement(STATEMENT.subjects, STATEMENT.predicate_type, {"number": 2})
    swapped = base64.b64encode(other.to_bytes()).decode()
    signature = dict(json.loads(envelope)["signatures"][0])
    flipped = base64.b64decode(signature["sig"])
    flipped = bytes([flipped[0] ^ 1]) + flipped[1:]
    for forged in (
        altered(envelope, payload=swapped),
        altered(envelope, payloadType="text/plain"),
        altered(envelope, signatures=[]),
        altered(envelope, signatures=[signature, signature]),
        altered(envelope, signatures=[{**signature, "sig": base64.b64encode(flipped).decode()}]),
        altered(envelope, extra=1),
        envelope[:-1],
        b"[]",
        b"\xff",
        b"[" * 100_000,
    ):
        with pytest.raises(SignatureError):
            open_envelope(forged, trusting(key), at=NOW)


def test_a_key_that_is_not_on_the_list_does_not_count_whatever_its_id_says(key):
    stranger = SigningKey.generate()
    with pytest.raises(SignatureError):
        open_envelope(seal(STATEMENT, stranger), trusting(key), at=NOW)
    forged = json.loads(seal(STATEMENT, stranger))
    forged["signatures"][0]["keyid"] = key.id
    with pytest.raises(SignatureError):
        open_envelope(json.dumps(forged).encode(), trusting(key), at=NOW)


def test_a_key_counts_within_its_time_only(key):
    envelope = seal(STATEMENT, key)
    day = timedelta(days=1)
    assert open_envelope(envelope, trusting(key, since=NOW, until=NOW + day), at=NOW)
    for keys in (trusting(key, since=NOW + day), trusting(key, until=NOW)):
        with pytest.raises(SignatureError):
            open_envelope(envelope, keys, at=NOW)


def test_a_key_list_is_read_as_it_was_written(key):
    keys = trusting(key, since=NOW)
    again = KeyList.from_bytes(canonical_json(keys.to_dict()))
    assert again.to_dict() == keys.to_dict()
    assert open_envelope(seal(STATEMENT, key), again, at=NOW)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '{"schema": 2, "keys": []}',
        '{"schema": 1, "keys": [{"owner": "a"}]}',
        '{"schema": 1, "keys": [{"owner": "a", "pem": "x"}]}',
        '{"schema": 1, "keys": [{"owner": "a", "pem": 1}]}',
        '{"schema": 1, "schema": 1, "keys": []}',
    ],
)
def test_a_key_list_of_another_form_is_refused(text):
    with pytest.raises(UsageError):
        KeyList.from_bytes(text.encode())


def test_a_key_may_stand_in_a_list_once_and_times_need_their_offset(key):
    row = {"owner": "a", "pem": key.public.pem}
    for rows in ([row, row], [{**row, "since": "2026-01-01"}], [{**row, "untill": "2026"}]):
        with pytest.raises(UsageError):
            KeyList.from_bytes(json.dumps({"schema": 1, "keys": rows}).encode())


def test_a_saved_key_is_its_owners_alone_and_signs_as_before(tmp_path, key):
    path = tmp_path / "keys" / "signing.pem"
    key.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert SigningKey.from_file(path).id == key.id
    with pytest.raises(OperatorError, match="exists"):
        key.save(path)
    path.chmod(0o644)
    with pytest.raises(OperatorError, match="others") as refused:
        SigningKey.from_file(path)
    assert "chmod 600" in (refused.value.remedy or "")


def test_other_kinds_of_keys_do_not_sign(tmp_path):
    from cryptography.hazmat.primitives.asymmetric import ed448, rsa

    for other in (rsa.generate_private_key(65537, 2048), ed448.Ed448PrivateKey.generate()):
        pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(UsageError):
            SigningKey.from_pem(pem)
    with pytest.raises(UsageError):
        SigningKey.from_pem(b"-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(UsageError):
        PublicKey.from_pem("")


def test_a_statement_holds_plain_json_and_has_a_subject():
    subject = STATEMENT.subjects
    for predicate in ({"x": 0.5}, {"x": object()}, {1: "x"}, {"x": b""}):
        with pytest.raises(UsageError):
            Statement(subject, "t", predicate).to_bytes()
    with pytest.raises(UsageError):
        Statement((), "t", {}).to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"subject": []},
        {"subject": [{"name": "x"}]},
        {"subject": [{"name": "x", "digest": {"sha256": "A" * 64}}]},
        {"subject": [{"name": 1, "digest": {"sha256": "a" * 64}}]},
        {"predicateType": ""},
        {"predicate": []},
        {"other": 1},
    ],
)
def test_what_is_no_statement_is_refused(change):
    data = {**json.loads(STATEMENT.to_bytes()), **change}
    with pytest.raises(ValueError, match=r"."):
        Statement.from_bytes(json.dumps(data).encode())


def test_a_key_that_stands_twice_has_no_reading():
    text = STATEMENT.to_bytes().decode().replace('"predicate":', '"predicate":{},"predicate":')
    with pytest.raises(ValueError, match="twice"):
        Statement.from_bytes(text.encode())
