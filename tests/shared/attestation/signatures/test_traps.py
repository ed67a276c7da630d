"""No signature is taken for one over more than it covers, nor read in two ways."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from hypothesis import given
from hypothesis import strategies as st
from samples.model_signers import (
    NOW,
    bent,
    curve_key,
    over,
    public_pem,
    resealed,
    signing_key,
)

from tidegate.artifact import FileEntry, Manifest, read_manifest
from tidegate.attestation.signatures import (
    KeyTrust,
    ModelSignatureError,
    SignerUnknownError,
    SigningIdentity,
    key_trust,
    sign_model,
    verify_model,
)
from tidegate.errors import ArtifactUnreadableError

_KEY = curve_key()
Bend = Callable[[dict[str, Any]], object]


@pytest.fixture
def text(model: Path, identity: SigningIdentity) -> str:
    return sign_model(read_manifest(model), identity, model_name="model")


def _check(data: bytes, model: Path, trust: KeyTrust) -> None:
    verify_model(data, read_manifest(model), [trust], at=NOW)


# What happens to the model after it was signed.


def test_a_file_that_was_added_is_not_signed(model: Path, text: str, trust: KeyTrust) -> None:
    (model / "data" / "late.py").write_text("import os\n")
    with pytest.raises(ModelSignatureError, match=r"not signed: 'data/late\.py'"):
        _check(text.encode(), model, trust)


@pytest.mark.parametrize("name", [".git/hooks/post-checkout", ".gitignore", ".github/run.yml"])
def test_one_of_gits_files_that_was_added_is_not_signed(
    model: Path, text: str, trust: KeyTrust, name: str
) -> None:
    (model / name).parent.mkdir(parents=True, exist_ok=True)
    (model / name).write_text("x\n")
    with pytest.raises(ModelSignatureError, match="not signed") as caught:
        _check(text.encode(), model, trust)
    assert "--no-ignore-git-paths" in caught.value.explain()


def test_one_of_gits_files_is_signed_like_any_other(
    model: Path, text: str, trust: KeyTrust
) -> None:
    _check(text.encode(), model, trust)
    (model / ".gitattributes").write_text("changed\n")
    with pytest.raises(ModelSignatureError, match=r"changed: '\.gitattributes'"):
        _check(text.encode(), model, trust)


def test_a_missing_file_is_missed_even_an_empty_one(
    model: Path, text: str, trust: KeyTrust
) -> None:
    (model / "data" / "empty.py").unlink()
    with pytest.raises(ModelSignatureError, match=r"missing: 'data/empty\.py'"):
        _check(text.encode(), model, trust)


def test_contents_exchanged_between_two_names_are_told(
    model: Path, text: str, trust: KeyTrust
) -> None:
    one, other = model / "MLmodel", model / "data" / "weights.bin"
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    with pytest.raises(ModelSignatureError, match=r"changed: 'MLmodel', 'data/weights\.bin'"):
        _check(text.encode(), model, trust)


@pytest.mark.parametrize("name", ["mlmodel", "MLmode\u217c"])
def test_a_file_under_a_name_that_only_looks_the_same_is_another(
    model: Path, text: str, trust: KeyTrust, name: str
) -> None:
    (model / "MLmodel").rename(model / name)
    with pytest.raises(ModelSignatureError, match="signed, and missing: 'MLmodel'"):
        _check(text.encode(), model, trust)


def test_the_signature_of_another_model_does_not_cover_this_one(
    model: Path, identity: SigningIdentity, trust: KeyTrust, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "MLmodel").write_text("flavors: {other: {}}\n")
    data = sign_model(read_manifest(other), identity, model_name="model").encode()
    with pytest.raises(ModelSignatureError, match="not over these files"):
        _check(data, model, trust)


@pytest.mark.parametrize("place", ["top", "file", "folder", "deep"])
def test_a_link_anywhere_is_refused_before_any_signature_is_asked(
    model: Path, text: str, trust: KeyTrust, tmp_path: Path, place: str
) -> None:
    real = tmp_path / "elsewhere"
    if place == "top":
        model.rename(real)
        model.symlink_to(real)
    elif place == "folder":
        (model / "data").rename(real)
        (model / "data").symlink_to(real)
    else:
        file = model / ("MLmodel" if place == "file" else "data/weights.bin")
        file.rename(real)
        file.symlink_to(real)
    with pytest.raises(ArtifactUnreadableError, match="symbolic link"):
        _check(text.encode(), model, trust)


def test_a_dangling_link_is_refused_too(model: Path, text: str, trust: KeyTrust) -> None:
    os.symlink("nowhere", model / "data" / "dangling")
    with pytest.raises(ArtifactUnreadableError, match="symbolic link"):
        _check(text.encode(), model, trust)


# What a signer, believed as he is, must not be able to leave out.


def _serialization(**values: Any) -> Bend:
    return lambda statement: statement["predicate"]["serialization"].update(values)


def _resources(change: Callable[[list[dict[str, Any]]], object], *, keep: bool = False) -> Bend:
    """Change the signed files, and the digest over them with it unless it is to be kept."""

    def bend(statement: dict[str, Any]) -> None:
        resources = statement["predicate"]["resources"]
        change(resources)
        if not keep:
            statement["subject"][0]["digest"]["sha256"] = over(resources)

    return bend


BENDS: dict[str, tuple[str, Bend]] = {
    "ignored paths": ("leaves out paths", _serialization(ignore_paths=["data/weights.bin"])),
    "the whole folder ignored": ("leaves out paths", _serialization(ignore_paths=["."])),
    "ignored paths beside git's": (
        "leaves out paths", _serialization(ignore_paths=[".git", "model.sig"]),
    ),
    "ignored paths that are no list": ("no list of texts", _serialization(ignore_paths=".git")),
    "links allowed": ("allows symbolic links", _serialization(allow_symlinks=True)),
    "links allowed by a text": ("allows symbolic links", _serialization(allow_symlinks="false")),
    "shards": ("not by whole files", _serialization(method="shards", shard_size=1 << 62)),
    "a weak hash": ("only SHA-256", _serialization(hash_type="md5")),
    "another hash": ("only SHA-256", _serialization(hash_type="blake3")),
    "a serialization with more to it": ("'first_bytes'", _serialization(first_bytes=10)),
    "no file": ("covers no file", _resources(list.clear)),
    "a file twice": ("one and the same", _resources(lambda all_: all_.append(dict(all_[0])))),
    "a weak hash of one file": (
        "not signed by its SHA-256",
        _resources(lambda all_: all_[0].update(algorithm="sha1", digest="0" * 40)),
    ),
    "a file out of the folder": (
        "no plain name", _resources(lambda all_: all_[0].update(name="../MLmodel")),
    ),
    "an absolute name": (
        "no plain name", _resources(lambda all_: all_[0].update(name="/etc/passwd")),
    ),
    "a name with a detour": (
        "no plain name", _resources(lambda all_: all_[0].update(name="data/./x")),
    ),
    "a single file among others": (
        "single file, and over others", _resources(lambda all_: all_[0].update(name=".")),
    ),
    "a digest that is not that of the files": (
        "not that of the files", _resources(lambda all_: all_.reverse(), keep=True),
    ),
    "a weak subject": (
        "another digest than SHA-256",
        lambda statement: statement["subject"][0].update(digest={"md5": "0" * 32}),
    ),
    "a weak digest beside the strong one": (
        "another digest than SHA-256",
        lambda statement: statement["subject"][0]["digest"].update(sha1="0" * 40),
    ),
    "two subjects": (
        "one subject", lambda statement: statement["subject"].append(statement["subject"][0]),
    ),
    "no subject": ("one subject", lambda statement: statement.update(subject=[])),
    "another kind of statement": (
        "no statement about a model",
        lambda statement: statement.update(predicateType="https://slsa.dev/provenance/v1"),
    ),
    "the form before 1.0": (
        "before version 1.0",
        lambda statement: statement.update(predicateType="https://model_signing/Digests/v0.1"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BENDS)
def test_a_statement_that_covers_less_than_it_seems_to_is_refused(
    model: Path, text: str, key: EllipticCurvePrivateKey, trust: KeyTrust, name: str
) -> None:
    message, bend = BENDS[name]
    data = bent(text, key, bend)
    with pytest.raises(ModelSignatureError, match=message) as caught:
        _check(data, model, trust)
    assert not isinstance(caught.value, SignerUnknownError)


def test_what_gits_files_would_be_ignored_is_no_matter_while_all_files_are_signed(
    model: Path, text: str, key: EllipticCurvePrivateKey, trust: KeyTrust
) -> None:
    _check(bent(text, key, _serialization(ignore_paths=[".git", ".gitignore"])), model, trust)


def test_a_statement_with_a_key_twice_has_no_reading(
    model: Path, text: str, key: EllipticCurvePrivateKey, trust: KeyTrust
) -> None:
    bundle = json.loads(text)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    doubled = payload.replace(b'"_type"', b'"predicateType":"x","_type"')
    with pytest.raises(ModelSignatureError, match="stands twice"):
        _check(resealed(bundle, doubled, key), model, trust)


# The file around it.


def _bundle(change: Bend) -> Callable[[str], bytes]:
    def bend(text: str) -> bytes:
        found = json.loads(text)
        change(found)
        return json.dumps(found).encode()

    return bend


FORMS: dict[str, Callable[[str], bytes]] = {
    "cut off": lambda text: text[: len(text) // 2].encode(),
    "empty": lambda _: b"",
    "no object": lambda _: b"[]",
    "a key twice": lambda text: text.replace('"mediaType"', '"mediaType":"x","mediaType"').encode(),
    "not UTF-8": lambda text: text.encode("utf-16"),
    "nested too deep": lambda _: b"[" * 100_000,
    "another payload type": _bundle(
        lambda found: found["dsseEnvelope"].update(payloadType="text/plain")
    ),
    "no signature": _bundle(lambda found: found["dsseEnvelope"].update(signatures=[])),
    "two signatures": _bundle(
        lambda found: found["dsseEnvelope"]["signatures"].append({"sig": ""})
    ),
    "a signature that is no base64": _bundle(
        lambda found: found["dsseEnvelope"]["signatures"][0].update(sig="!!!")
    ),
    "an old media type": _bundle(lambda found: found.update(mediaType="application/json")),
    "a field more": _bundle(lambda found: found.update(messageSignature={})),
    "nobody": _bundle(lambda found: found["verificationMaterial"].pop("publicKey")),
    "two signers": _bundle(
        lambda found: found["verificationMaterial"].update(x509CertificateChain={})
    ),
    "an entry of a log": _bundle(
        lambda found: found["verificationMaterial"].update(tlogEntries=[{}])
    ),
    "an empty chain": _bundle(
        lambda found: found.update(
            verificationMaterial={"x509CertificateChain": {"certificates": []}}
        )
    ),
    "a chain without end": _bundle(
        lambda found: found.update(
            verificationMaterial={"x509CertificateChain": {"certificates": [{}] * 100}}
        )
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_that_is_not_of_the_form_is_no_signature(
    model: Path, text: str, trust: KeyTrust, name: str
) -> None:
    with pytest.raises(ModelSignatureError):
        _check(FORMS[name](text), model, trust)


@pytest.mark.parametrize("part", ["payload", "sig"])
def test_a_changed_bit_is_told(model: Path, text: str, trust: KeyTrust, part: str) -> None:
    bundle = json.loads(text)
    envelope = bundle["dsseEnvelope"]
    place = envelope if part == "payload" else envelope["signatures"][0]
    data = bytearray(base64.b64decode(place[part]))
    data[len(data) // 2] ^= 1
    place[part] = base64.b64encode(bytes(data)).decode()
    with pytest.raises(SignerUnknownError):
        _check(json.dumps(bundle).encode(), model, trust)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just("sha256"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value, as the thing that has it and its key there."""
    found: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        each = pending.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each))
        found += [(each, key) for key in keys]
        pending += [each[key] for key in keys if isinstance(each[key], dict | list)]
    return found


@given(data=st.data(), other=_JSON)
def test_no_value_in_any_place_ends_in_another_error_or_makes_other_files_count(
    data: st.DataObject, other: Any
) -> None:
    manifest = Manifest("folder", (FileEntry("a/x", 1, "ab" * 32), FileEntry("b", 1, "cd" * 32)))
    shown = Manifest("folder", (FileEntry("a/x", 1, "ab" * 32), FileEntry("b", 1, "ef" * 32)))
    text = sign_model(manifest, SigningIdentity(signing_key(_KEY)), model_name="m")
    bundle = json.loads(text)
    if data.draw(st.booleans()):
        holder, key = data.draw(st.sampled_from(_places(bundle)))
        holder[key] = other
        broken = json.dumps(bundle).encode()
    else:
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        holder, key = data.draw(st.sampled_from(_places(statement)))
        holder[key] = other
        broken = resealed(bundle, json.dumps(statement).encode(), _KEY)
    with pytest.raises(ModelSignatureError):
        verify_model(broken, shown, [key_trust("ml", public_pem(_KEY))], at=NOW)
