"""A checkpoint is one log's, signed by its key, and has one reading."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tidegate.attestation import (
    Checkpoint,
    SignatureError,
    SigningKey,
    read_checkpoint,
    write_checkpoint,
)
from tidegate.attestation.checkpoint import verifier_key
from tidegate.errors import UsageError

ORIGIN = "ledger.example.com/fraud"
KEY = SigningKey.generate()
CHECKPOINT = Checkpoint(ORIGIN, 12, bytes(range(32)))
NOTE = write_checkpoint(CHECKPOINT, KEY)


def test_what_was_written_is_read():
    assert read_checkpoint(NOTE, ORIGIN, KEY.public) == CHECKPOINT


def test_the_note_is_of_the_published_form():
    lines = NOTE.split("\n")
    assert lines[:3] == [ORIGIN, "12", base64.b64encode(bytes(range(32))).decode()]
    assert lines[3] == ""
    dash, name, value = lines[4].split(" ")
    assert (dash, name, lines[5:]) == ("—", ORIGIN, [""])
    origin, number, encoded = verifier_key(ORIGIN, KEY.public).split("+", 2)
    kind_and_key = base64.b64decode(encoded)
    assert number == hashlib.sha256(f"{origin}\n".encode() + kind_and_key).digest()[:4].hex()
    decoded = base64.b64decode(value)
    assert decoded[:4].hex() == number
    Ed25519PublicKey.from_public_bytes(kind_and_key[1:]).verify(
        decoded[4:], "\n".join([*lines[:3], ""]).encode()
    )


def test_further_signatures_and_extension_lines_do_no_harm():
    witness = f"— witness.example.com {base64.b64encode(bytes(68)).decode()}\n"
    assert read_checkpoint(NOTE + witness, ORIGIN, KEY.public) == CHECKPOINT


@pytest.mark.parametrize(
    "note",
    [
        "",
        NOTE.replace("\n12\n", "\n13\n"),
        NOTE.replace("\n12\n", "\n012\n"),
        NOTE.replace(ORIGIN, "other.example.com"),
        NOTE.replace("\n\n", "\n"),
        NOTE.split("\n\n")[0] + "\n\n",
        NOTE.replace("— ", "- "),
        NOTE[:-4],
    ],
)
def test_what_was_altered_is_refused(note):
    with pytest.raises(SignatureError):
        read_checkpoint(note, ORIGIN, KEY.public)


def test_another_logs_checkpoint_and_another_keys_signature_are_refused():
    with pytest.raises(SignatureError):
        read_checkpoint(NOTE, "ledger.example.com/other", KEY.public)
    with pytest.raises(SignatureError):
        read_checkpoint(NOTE, ORIGIN, SigningKey.generate().public)


def test_a_signed_size_that_is_no_number_is_refused():
    signature = KEY.signer.sign(f"{ORIGIN}\n-1\n{base64.b64encode(bytes(32)).decode()}\n".encode())
    number = bytes.fromhex(verifier_key(ORIGIN, KEY.public).split("+")[1])
    value = base64.b64encode(number + bytes.fromhex(signature.signature)).decode()
    note = f"{ORIGIN}\n-1\n{base64.b64encode(bytes(32)).decode()}\n\n— {ORIGIN} {value}\n"
    with pytest.raises(SignatureError, match="form"):
        read_checkpoint(note, ORIGIN, KEY.public)


def test_an_origin_that_is_no_word_and_another_kind_of_key_are_refused():
    with pytest.raises(UsageError):
        write_checkpoint(Checkpoint("two words", 0, bytes(32)), KEY)
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(UsageError, match="ed25519"):
        write_checkpoint(CHECKPOINT, SigningKey.from_pem(curve))
