"""Credentials do not get into records, and settings of models do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.attestation.statements import canonical_json
from tidegate.provenance import HIDDEN, Redactor
from tidegate.provenance.redaction import is_secret_name

# Put together here, so that no scanner of this repository takes them for real ones.
GITHUB = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
AWS = "AKIA" + "J5Q7WX3ZKTMV2RNB"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "hunter2"),
        ("DB_PASSWORD", "hunter2"),
        ("dbPassword", "hunter2"),
        ("db.password", "hunter2"),
        ("password", 123456),
        ("api_key", "k"),
        ("apiKey", "k"),
        ("OPENAI_API_KEY", "k"),
        ("PGPASSWORD", "hunter2"),
        ("SSHPASS", "hunter2"),
        ("registry_creds", "ada:hunter2"),
        ("hf_token", "k"),
        ("token", "k"),
        ("auth", "k"),
        ("aws_secret_access_key", "k"),
        ("secrets", {"a": "b"}),
        ("credentials", ["a", "b"]),
    ],
)
def test_a_value_is_hidden_by_its_name(name, value):
    redactor = Redactor()
    assert redactor.value(name, value) == HIDDEN
    assert redactor.hidden == (name,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 512),
        ("num_tokens", "512"),
        ("token", 7),
        ("pad_token", "<pad>"),
        ("tokenizer", "bert"),
        ("use_auth_token", True),
        ("password", None),
        ("key", "id"),
        ("keys", ["a"]),
        ("monkey", "b"),
        ("bypass", "yes"),
        ("n_passes", 3),
        ("author", "Ada"),
        ("pin_memory", "yes"),
    ],
)
def test_a_setting_of_a_model_is_kept(name, value):
    redactor = Redactor()
    assert redactor.value(name, value) == value
    assert redactor.hidden == ()


def test_secrets_within_values_are_hidden_and_the_rest_is_kept():
    redactor = Redactor()
    shown = redactor.value(
        "config",
        {
            "lr": 0.1,
            "note": f"cloned with {GITHUB} today",
            "store": {"password": "hunter2", "user": "ada"},
            "urls": ["https://ada:hunter2@host/x", "s3://bucket/key"],
        },
    )
    assert shown == {
        "lr": "0.1",
        "note": f"cloned with {HIDDEN} today",
        "store": {"password": HIDDEN, "user": "ada"},
        "urls": [f"https://{HIDDEN}@host/x", "s3://bucket/key"],
    }
    assert redactor.hidden == ("config.note", "config.store.password", "config.urls")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ada:SECRET@host/db",
        "postgresql://ada:SECRET/SECRET@host/db",
        "https://SECRET@git.example.com/x.git",
        "password=SECRET",
        "lr=1;Pwd=SECRET;x=2",
        "lr=1,password=SECRET",
        "Authorization: Bearer SECRET",
        "authorization: SECRET",
        '{"password": "SECRET SECRET", "lr": 3}',
        "{'api_key': 'SECRET'}",
        f"x {GITHUB} y",
        f"é {AWS} é",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7",
    ],
)
def test_no_part_of_a_secret_stays_in_a_text(text):
    shown = Redactor().text("a text", text)
    assert HIDDEN in shown
    for part in ("SECRET", GITHUB[8:], AWS[6:], "MIIEvQ", "AASCBK"):
        assert part not in shown


def test_an_ordinary_text_stays_as_it_is():
    for text in (
        "python train.py --lr 0.1",
        "https://example.com:8080/a?b=c",
        "docker://registry.example.com:5000/ml/train@sha256:ab",
        "https://example.com/@ada/x@1.2",
        "Accuracy: 0.93; loss=0.1",
        "a@example.com",
        "git@example.com:ml/fraud.git",
        "C:/data/x.csv",
        "größer",
    ):
        redactor = Redactor()
        assert redactor.text("a text", text) == text
        assert redactor.hidden == ()


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        (["train.py", "--lr", "0.1"], ["train.py", "--lr", "0.1"]),
        (["--password", "hunter2", "--lr", "1"], ["--password", HIDDEN, "--lr", "1"]),
        (["--password=hunter2"], [f"--password={HIDDEN}"]),
        (["--hf-token", "hunter2"], ["--hf-token", HIDDEN]),
        (["--max-tokens", "12"], ["--max-tokens", "12"]),
        (["-u", "ada:hunter2"], ["-u", HIDDEN]),
        (["-u", "train.py"], ["-u", "train.py"]),
        (["--proxy-user", "ada:hunter2"], ["--proxy-user", HIDDEN]),
        (["https://h/x?sv=1&sig=hunter2"], [f"https://h/x?sv=1&sig={HIDDEN}"]),
        (["env", "HF_TOKEN=hunter2", "x"], ["env", f"HF_TOKEN={HIDDEN}", "x"]),
        (["--password", "--lr"], ["--password", "--lr"]),
        (["--password", "-hunter2"], ["--password", HIDDEN]),
        (["-H", "Authorization: Bearer hunter2"], ["-H", f"Authorization: {HIDDEN}"]),
    ],
)
def test_a_command_line_is_hidden_by_its_options(given_, shown):
    assert list(Redactor().arguments(given_)) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:pw@host:8443/p/x.git", "https://host:8443/p/x.git"),
        ("https://token@host/x.git", "https://host/x.git"),
        ("ssh://git@host/x.git", "ssh://git@host/x.git"),
        ("ssh://git:pw@host/x.git", "ssh://host/x.git"),
        ("git@host:ml/x.git", "git@host:ml/x.git"),
        ("s3://b/k?versionId=3&X-Amz-Signature=abc", "s3://b/k?versionId=3"),
        ("https://h/b?sig=abc#token", "https://h/b"),
        ("/srv/git/x.git", "/srv/git/x.git"),
    ],
)
def test_a_url_keeps_its_place_and_loses_what_gives_access(url, shown):
    assert Redactor().url(url) == shown


def test_values_become_plain_and_objects_do_not_show_what_they_hold():
    class Client:
        def __repr__(self):
            return "Client(password='hunter2')"

    shown = Redactor().value(
        "all",
        {
            "path": Path("a/b"),
            "number": numpy.float64(0.5),
            "count": numpy.int64(3),
            "client": Client(),
            "array": numpy.zeros(3),
            "set": {2, 1},
            "huge": 10**400,
            "text": "\ud800\x00",
            "list": list(range(2000)),
        },
    )
    assert shown["path"] == "a/b"
    assert (shown["number"], shown["count"]) == ("0.5", 3)
    assert "hunter2" not in json.dumps(shown)
    assert shown["client"].endswith("Client")
    assert shown["array"] == "numpy.ndarray"
    assert shown["set"] == [1, 2]
    assert shown["list"] == "builtins.list of 2000"
    assert shown["text"] == "\\ud800\\x00"
    canonical_json(shown)


def test_a_value_that_holds_itself_comes_to_an_end():
    value = []
    value.append(value)
    assert "builtins.list" in json.dumps(Redactor().value("x", value))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_whatever_is_given_can_be_written_as_a_statement(value):
    canonical_json({"value": Redactor().value("x", value)})


@given(st.text())
def test_what_was_hidden_once_stays_as_it_is(text):
    once = Redactor().text("x", text)
    assert Redactor().text("x", once) == once


def test_names_are_told_in_whatever_way_they_are_written():
    for name in ("api_key", "apiKey", "APIKey", "API-KEY", "my.api.key", "OPENAI_API_KEY2"):
        assert is_secret_name(name), name
