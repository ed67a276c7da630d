"""Where the signing key and the list of believed keys come from."""

from __future__ import annotations

import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tidegate.attestation import KeyList, SigningKey, TrustedKey
from tidegate.attestation.own_key import signing_key, trusted_keys
from tidegate.errors import OperatorError, UsageError


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEGATE_SIGNING_KEY", raising=False)
    monkeypatch.delenv("TIDEGATE_TRUSTED_KEYS", raising=False)
    return tmp_path / "tidegate"


def key_id(folder: str) -> str:
    os.environ["XDG_DATA_HOME"] = folder
    return signing_key().id


def test_a_key_is_made_once_for_its_owner_alone(own_folder: Path) -> None:
    first = signing_key()
    assert signing_key().id == first.id
    (path,) = own_folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert first.public.key.keytype == "ed25519"
    assert list(trusted_keys()) == [first.id]


def test_whoever_only_verifies_gets_no_key_made(own_folder: Path) -> None:
    with pytest.raises(UsageError, match="whose signatures count"):
        trusted_keys()
    assert not own_folder.exists()


def test_processes_that_start_at_once_end_with_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        ids = set(pool.map(key_id, [str(tmp_path)] * 8))
    assert len(ids) == 1
    assert [path.name for path in (tmp_path / "tidegate").iterdir()] == ["signing-key.pem"]


def test_a_key_that_others_can_read_signs_nothing(own_folder: Path) -> None:
    signing_key()
    (own_folder / "signing-key.pem").chmod(0o644)
    with pytest.raises(OperatorError, match="can be read by others"):
        signing_key()


def test_the_variable_names_a_file_or_is_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_folder: Path
) -> None:
    key = SigningKey.generate()
    key.save(tmp_path / "team.pem")
    for value in (str(tmp_path / "team.pem"), key.to_pem().decode()):
        monkeypatch.setenv("TIDEGATE_SIGNING_KEY", value)
        assert signing_key().id == key.id
    assert not own_folder.exists(), "no other key is made"


@pytest.mark.parametrize("value", ["/nowhere/key.pem", "-----BEGIN PRIVATE KEY-----\nxx\n"])
def test_a_variable_that_can_not_be_used_is_an_error_and_no_new_key(
    monkeypatch: pytest.MonkeyPatch, own_folder: Path, value: str
) -> None:
    monkeypatch.setenv("TIDEGATE_SIGNING_KEY", value)
    with pytest.raises((UsageError, OperatorError)):
        signing_key()
    assert not own_folder.exists()


def test_a_folder_where_no_key_can_be_made_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(OperatorError) as caught:
        signing_key()
    assert "TIDEGATE_SIGNING_KEY" in str(caught.value.remedy)


def test_the_key_list_is_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = KeyList([TrustedKey(SigningKey.generate().public, "ada")])
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(keys.to_dict()))
    monkeypatch.setenv("TIDEGATE_TRUSTED_KEYS", str(path))
    assert list(trusted_keys()) == list(keys)
    monkeypatch.setenv("TIDEGATE_TRUSTED_KEYS", str(tmp_path / "missing.json"))
    with pytest.raises(UsageError, match="key list"):
        trusted_keys()
