"""Whatever is sent ends in a reason, with a status of the sender's affair; the console lives on."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from samples.consoles import Console
from samples.ledger_records import a_manifest, a_step, an_evidence

from tidegate.console.guard import MAX_BODY
from tidegate.ledger.wire import evidence_message
from tidegate.policy import Action
from tidegate.scanners.registry import ruleset_version

MANIFEST = a_manifest("hostile-request")
GOOD = evidence_message(
    MANIFEST,
    an_evidence(MANIFEST, ruleset=ruleset_version()),
    action=Action.LOAD,
    subject="hostile",
)
FILE = GOOD["manifest"]["files"][0]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good message with one thing in it changed; `...` takes it out."""
    message: dict[str, Any] = json.loads(json.dumps(GOOD))
    *way, last = path.split(".")
    place: Any = message
    for each in way:
        place = place[int(each) if isinstance(place, list) else each]
    if value is ...:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return message


def send(console: Console, body: Any, key: str | None = "hostile-key-1") -> tuple[int, Any]:
    token = console.token_of_mallory()
    headers = {} if key is None else {"Idempotency-Key": key}
    return console.ask("POST", "/v1/evidence", body, token=token, headers=headers)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("manifest", None),
        ("manifest", ...),
        ("manifest", []),
        ("manifest.kind", "link"),
        ("manifest.kind", "file "),
        ("manifest.digest", "sha256:" + "0" * 64),
        ("manifest.digest", "sha256:" + "0" * 64 + "\n"),
        ("manifest.digest", "md5:0"),
        ("manifest.files", []),
        ("manifest.files", [FILE, FILE]),
        ("manifest.files.0", [*FILE, 1]),
        ("manifest.files.0", ["../../etc/passwd", 1, "0" * 64]),
        ("manifest.files.0", ["/etc/passwd", 1, "0" * 64]),
        ("manifest.files.0.0", "other"),
        ("manifest.files.0.0", "a\0b"),
        ("manifest.files.0.0", "\ud800"),
        ("manifest.files.0.0", "x" * 5000),
        ("manifest.files.0.1", -1),
        ("manifest.files.0.1", 2**63),
        ("manifest.files.0.1", 10**400),
        ("manifest.files.0.1", "7"),
        ("manifest.files.0.1", 7.5),
        ("manifest.files.0.1", True),
        ("manifest.schema", 2),
        ("manifest.extra", 1),
        ("evidence", None),
        ("evidence.id", "ev-" + "0" * 32),
        ("evidence.digest", "sha256:" + "0" * 64),
        ("evidence.ruleset", "rules-1"),
        ("evidence.schema", "1"),
        ("evidence.findings", {}),
        ("evidence.findings.0.rule", "NO-SUCH-RULE"),
        ("evidence.findings.0.rule", "x'; DROP TABLE tidegate_decision; --"),
        ("evidence.findings.0.severity", "deadly"),
        ("evidence.findings.0.message", "\0"),
        ("evidence.findings.0.message", "x" * 100_000),
        ("evidence.findings.0.offset", -1),
        ("evidence.findings.0.path", ...),
        ("evidence.formats.0", ["only one"]),
        ("evidence.claimed_by", "somebody else"),
        ("action", "delete"),
        ("action", None),
        ("subject", 7),
        ("subject", "\0"),
        ("says", ["root"]),
        ("actor", "root"),
        ("decided_at", "2020-01-01T00:00:00+00:00"),
        ("outcome", "allow"),
    ],
)
def test_a_message_with_one_thing_wrong_is_refused_with_a_reason(
    console: Console, path: str, value: Any
) -> None:
    status, told = send(console, changed(path, value))
    assert status in {400, 422}, (status, told)
    assert told["message"]
    assert len(json.dumps(told)) < 5000


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b"7", b'"text"', b"NaN", b"\xff\xfe\x00", b'{"a":1}' * 2,
        b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000, b'{"manifest": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_a_body_that_is_no_message_is_refused(console: Console, body: bytes) -> None:
    status, told = send(console, body)
    assert status in {400, 422}, (status, told)


@pytest.mark.parametrize("key", [None, "", "short", "x" * 300, "with space in it", "a/b/c/d/e/f"])
def test_a_write_without_a_usable_key_is_refused(console: Console, key: str | None) -> None:
    assert send(console, GOOD, key)[0] == 422


def test_a_body_beyond_the_limit_is_refused_unread(console: Console) -> None:
    status, told = send(console, b" " * (MAX_BODY + 1))
    assert (status, told["error"]) == (413, "TooLargeError")
    token = console.token_of_mallory()
    head = (
        f"POST /v1/evidence HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", console.port), 30) as raw:
        raw.sendall(head.encode())
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        try:
            for _ in range((MAX_BODY >> 20) + 2):
                raw.sendall(chunk)
        except OSError:
            # The console hung up before it had all of it.
            head = ""
        answer = raw.recv(200) if head else b"HTTP/1.1 413"
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/openapi.json", "/v1"])
@pytest.mark.parametrize("chunked", [True, False])
def test_who_has_no_token_has_nothing_read_of_what_he_sends(
    console: Console, path: str, chunked: bool
) -> None:
    """Where no token is asked for, a body is refused by its first bytes."""
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {MAX_BODY}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", console.port), 30) as raw:
        raw.sendall(head.encode() + (b"5\r\nhello\r\n" if chunked else b""))
        answer = raw.recv(200)
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/held?limit=0", 422),
        ("/v1/held?limit=-1", 422),
        ("/v1/held?limit=1000000000", 422),
        ("/v1/held?limit=x", 422),
        ("/v1/decision?id=-1", 422),
        ("/v1/decision?id=99999999999999999999", 422),
        ("/v1/decision?id=9223372036854775807", 404),
        ("/v1/decision", 422),
        ("/v1/manifest?digest=x", 422),
        ("/v1/manifest?digest=sha256:" + "0" * 64, 404),
        ("/v1/resolve?reference=%00", 400),
        ("/v1/resolve?reference=%ff%fe", 404),
        ("/v1/resolve?reference=", 422),
        ("/v1/resolve?reference=" + "x" * 5000, 422),
        ("/v1/resolve?reference=%25", 404),
        ("/v1/evidence?id=%00", 400),
        ("/v1/evidence?id=nobody", 404),
        ("/v1/step?id=step:0", 404),
        ("/v1/latest-decision?digest=sha256:" + "0" * 64 + "&action=x", 422),
        ("/v1/latest-decision?digest=sha256:" + "0" * 64 + "&subject=%00", 400),
        ("/v1/nothing", 404),
        ("/nothing", 404),
        ("//v1/held", 404),
        ("/v1/../v1/held", 404),
        ("/docs", 404),
    ],
)
def test_a_question_that_can_not_be_answered_is_the_senders_affair(
    console: Console, path: str, status: int
) -> None:
    found, told = console.ask("GET", path, token=console.token_of_mallory())
    assert found == status, told
    assert told["message"]


@pytest.mark.parametrize("path", ["/V1/held", "/v1%2fheld", "/%76%31/held", "/v1//held"])
def test_no_spelling_of_a_path_gets_past_the_token(console: Console, path: str) -> None:
    assert console.ask("GET", path)[0] in {401, 404}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("reviews", {"reference": "x", "verdict": "approve"}),
        ("reviews", {"reference": "x", "verdict": "perhaps", "reason": "x"}),
        ("reviews", {"reference": "nobody/1", "verdict": "approve", "reason": "x"}),
        ("reviews", {"reference": "x", "verdict": "reject", "reason": ""}),
        ("reviews", {"reference": "x", "verdict": "reject", "reason": "y", "actor": "ada"}),
        ("waivers", {"reference": "x", "rule": "A", "reason": "y"}),
        ("waivers", {"reference": "x", "rule": "A", "reason": "y", "days": 0}),
        ("waivers", {"reference": "x", "rule": "A", "reason": "y", "days": 10**9}),
        ("waivers", {"reference": "x", "rule": "A", "reason": "y", "until": "2027-01-01"}),
        (
            "waivers",
            {"reference": "x", "rule": "A", "reason": "y", "until": "9999-12-31T23:59:59Z"},
        ),
        ("standing", {"digest": "sha256:" + "0" * 64, "action": "x"}),
        ("standing", {"digest": "sha256:" + "0" * 64, "action": "load", "manifest": {}}),
        ("standing", {"digest": MANIFEST.digest, "action": "load", "expected": "x"}),
        ("checkpoint", {"after": "no checkpoint"}),
        ("checkpoint", {"after": "x" * 100_000}),
        ("steps", {"step": {}, "manifests": []}),
        ("steps", {"step": {"schema": 1, "id": 7}, "manifests": []}),
        ("steps", {"step": {"schema": 2}, "manifests": []}),
        ("steps", {"step": {}, "manifests": [{}]}),
        ("steps", {"manifests": []}),
    ],
)
def test_other_messages_that_make_no_sense_are_refused(
    console: Console, path: str, body: Any
) -> None:
    token = console.token_of_mallory()
    headers = {"Idempotency-Key": "nonsense-1"}
    status, told = console.ask("POST", f"/v1/{path}", body, token=token, headers=headers)
    assert 400 <= status < 500, told
    assert told["message"]


def test_a_step_nested_without_end_is_refused(console: Console) -> None:
    nested: Any = {}
    for _ in range(400):
        nested = {"a": nested}
    body = {"step": {**a_step(1).to_dict(), "parameters": nested}, "manifests": []}
    headers = {"Idempotency-Key": "nested-step-1"}
    status, told = console.ask(
        "POST", "/v1/steps", body, token=console.token_of_mallory(), headers=headers
    )
    assert status == 400, told


def test_the_console_failed_at_none_of_it(console: Console) -> None:
    assert console.ask("GET", "/health") == (200, {"status": "ok"})
    assert "Traceback" not in console.log()
    assert " 500 " not in console.log()
