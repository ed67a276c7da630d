"""Every record is covered by a signed statement of the log, and the log proves what is in it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from samples.ledger_records import NOW, POLICY, a_decision, a_manifest, an_evidence, count, record
from samples.tampering import fill, look, owner, rows

from tidegate.attestation import SigningKey, Subject
from tidegate.attestation.merkle import (
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tidegate.attestation.own_key import signing_key
from tidegate.errors import OperatorError, TamperedError, UsageError
from tidegate.ledger import Ledger, log
from tidegate.ledger.coverage import FIELD, read_coverage
from tidegate.ledger.log import Draft
from tidegate.ledger.schema import log_node, statement

SCHEMAS = Path(__file__).parents[3] / "docs" / "reference" / "predicates"


def statements(url: str) -> list[dict[str, Any]]:
    """The payloads, each verified by the DSSE specification with nothing of ours."""
    key: Any = load_pem_public_key(signing_key().public.pem.encode())
    found = []
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        for row in rows(connection, statement):
            envelope = json.loads(row["envelope"])
            body, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
            signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
            key.verify(base64.b64decode(envelope["signatures"][0]["sig"]), signed)
            assert kind == b"application/vnd.in-toto+json"
            found.append(json.loads(body))
    engine.dispose()
    return found


def drafts(number: int, first: int = 0) -> list[Draft]:
    return [
        Draft((Subject(f"m{n}", f"sha256:{n:064x}"),), "https://example.com/p/v1", {"n": n})
        for n in range(first, first + number)
    ]


def test_each_record_has_the_predicate_that_others_know(ledger: Ledger, database_url: str) -> None:
    fill(ledger)
    found = statements(database_url)
    kinds = [each["predicateType"] for each in found]
    assert kinds == 2 * [
        "https://in-toto.io/attestation/test-result/v0.1",
        "https://slsa.dev/verification_summary/v1",
        "https://tidegate.dev/attestation/review/v1",
        "https://tidegate.dev/attestation/waiver/v1",
        "https://cyclonedx.org/bom",
        "https://tidegate.dev/attestation/registration/v1",
    ] + 2 * [
        "https://tidegate.dev/attestation/token/v1",
        "https://tidegate.dev/attestation/token-revocation/v1",
        "https://slsa.dev/provenance/v1",
        "https://tidegate.dev/attestation/request/v1",
        "https://tidegate.dev/attestation/model-signature/v1",
    ] + 2 * [
        "https://tidegate.dev/attestation/recall/v1",
        "https://tidegate.dev/attestation/recall-lift/v1",
    ]
    result, summary, *_, bom, _registration = (each["predicate"] for each in found[:6])
    assert (result["result"], result["failedTests"]) == ("FAILED", ["PICKLE-TRAILING"])
    assert summary["verificationResult"] == "FAILED"
    assert summary["verifiedLevels"] == ["FAILED"]
    assert summary["policy"]["digest"] == {"sha256": POLICY.digest.removeprefix("sha256:")}
    assert bom["a"] == 1
    digest = a_manifest("one.pkl").digest.removeprefix("sha256:")
    assert all(each["subject"][0]["digest"] == {"sha256": digest} for each in found[:6])
    assert all(each["_type"] == "https://in-toto.io/Statement/v1" for each in found)


def test_predicates_of_our_own_are_as_their_schemas_say(ledger: Ledger, database_url: str) -> None:
    fill(ledger)
    ledger.add_sbom(digest=a_manifest().digest, subject="x", body="no JSON", now=NOW)
    seen = set()
    for each in statements(database_url):
        names = [each["predicateType"], *(key for key in each["predicate"] if "://" in key)]
        for name in names:
            if not name.startswith("https://tidegate.dev/attestation/"):
                continue
            kind = name.split("/")[-2]
            schema = json.loads((SCHEMAS / f"{kind}-v1.json").read_text())
            assert schema["$id"] == name
            predicate = each["predicate"]
            value = predicate if name == each["predicateType"] else predicate[name]
            jsonschema.Draft202012Validator(schema).validate(value)
            seen.add(kind)
    # Annotations of materials stand deeper in: test_steps looks at them.
    written = {path.stem.removesuffix("-v1") for path in SCHEMAS.glob("*.json")} - {"material"}
    assert seen == written


def test_a_clean_model_has_a_summary_that_says_so(ledger: Ledger, database_url: str) -> None:
    record(ledger, severity=None)
    result, summary = (each["predicate"] for each in statements(database_url))
    assert result["result"] == "PASSED"
    assert summary["verificationResult"] == "PASSED"
    assert summary["verifiedLevels"] == ["TIDEGATE_REGISTER"]


def test_what_is_on_record_already_is_covered_once(ledger: Ledger, database_url: str) -> None:
    for _ in range(3):
        record(ledger, place="/models/fraud")
    covered = [read_coverage(each["predicate"]).rows for each in statements(database_url)]
    assert [sorted(row.table.removeprefix("tidegate_") for row in each) for each in covered] == [
        ["artifact", "evidence"], ["decision", "place", "policy"], ["decision"], ["decision"],
    ]  # fmt: skip
    assert look(database_url).problems == ()


def test_a_registration_without_bytes_or_said_twice_is_covered_once(
    ledger: Ledger, database_url: str
) -> None:
    for _ in range(2):
        ledger.add_registration(
            store="s", name="fraud", version="1", created_ms=1, source="", digest=None,
            decision_id=None,
        )  # fmt: skip
    (said,) = statements(database_url)
    assert said["subject"][0]["digest"]["sha256"] == read_coverage(said["predicate"]).rows[0].sha256
    assert look(database_url).problems == ()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"score": 9.75, "n": 1e3}', "https://cyclonedx.org/bom"),
        ('{"name": "\\ud800"}', "https://tidegate.dev/attestation/record/v1"),
        ('{"a": 1, "a": 2}', "https://tidegate.dev/attestation/record/v1"),
        ("[" * 100_000, "https://tidegate.dev/attestation/record/v1"),
        ("[]", "https://tidegate.dev/attestation/record/v1"),
        ('{"a": NaN}', "https://tidegate.dev/attestation/record/v1"),
    ],
)
def test_an_sbom_of_any_form_is_covered(
    ledger: Ledger, database_url: str, body: str, kind: str
) -> None:
    ledger.add_sbom(digest=a_manifest().digest, subject="fraud/1", body=body, now=NOW)
    (said,) = statements(database_url)
    assert said["predicateType"] == kind
    if "score" in body:
        assert said["predicate"]["score"] == "9.75"
    assert look(database_url).problems == ()


@pytest.mark.parametrize("name", ["a\ud800b.pkl", "\x00.pkl", "../../x\n\x1b[2J", "ä😀"])
def test_a_hostile_file_name_stands_in_no_ones_way(
    ledger: Ledger, database_url: str, name: str
) -> None:
    record(ledger, name)
    assert look(database_url).problems == ()


def test_statement_and_records_stand_or_fall_together(ledger: Ledger, database_url: str) -> None:
    def fail_at_the_second() -> None:
        with ledger._writing(None) as connection:
            record(ledger, connection=connection)
            record(ledger, "other.pkl", subject="bad\x00", connection=connection)

    with pytest.raises(UsageError):
        fail_at_the_second()
    assert (
        count(database_url, "tidegate_decision") == count(database_url, "tidegate_statement") == 0
    )
    record(ledger)
    assert look(database_url).statements == 2


def test_without_a_statement_nothing_is_recorded(
    ledger: Ledger, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = sqlalchemy.create_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER swallow BEFORE INSERT ON tidegate_statement "
            "BEGIN SELECT RAISE(IGNORE); END"
            if engine.dialect.name == "sqlite"
            else "CREATE RULE swallow AS ON INSERT TO tidegate_statement DO INSTEAD NOTHING"
        )
    engine.dispose()
    with pytest.raises(TamperedError, match="did not keep"):
        record(ledger)
    assert count(database_url, "tidegate_decision") == 0


def test_reading_needs_no_key(
    ledger: Ledger, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decision = record(ledger)
    monkeypatch.setenv("TIDEGATE_SIGNING_KEY", str(tmp_path / "missing.pem"))
    with Ledger.open(database_url, migrate=False) as reader:
        assert reader.decision(decision.id or 0) == decision
        with pytest.raises(OperatorError, match="signing key"):
            record(reader, "other.pkl")
    with pytest.raises(OperatorError, match="signing key"):
        Ledger.open(database_url)


def test_roots_and_proofs_are_those_of_the_tree(ledger: Ledger, database_url: str) -> None:
    size = 0
    for batch in (1, 1, 1, 2, 5, 1, 7, 1, 1, 12):
        numbers = ledger.append(drafts(batch, size))
        assert numbers == range(size + 1, size + batch + 1)
        size += batch
    with ledger.reading() as connection:
        leaves = [bytes.fromhex(row["leaf_hash"]) for row in rows(connection, statement)]
        for end in range(size + 1):
            root = log.root(connection, end)
            assert root == root_of(leaves[:end])
            assert log.consistency_proof(connection, end, size) == consistency_proof(end, leaves)
            assert verify_consistency(
                end, size, log.consistency_proof(connection, end, size), root, root_of(leaves)
            )
        for number in range(1, size + 1):
            proof = log.inclusion_proof(connection, number, size)
            assert proof == inclusion_proof(number - 1, leaves)
            assert verify_inclusion(leaves[number - 1], number - 1, size, proof, root_of(leaves))
    assert look(database_url).problems == ()


def test_appending_asks_for_few_nodes_however_long_the_log_is(ledger: Ledger) -> None:
    ledger.append(drafts(300))
    asked: list[str] = []
    sqlalchemy.event.listen(
        ledger._engine, "before_cursor_execute", lambda *args: asked.append(args[2])
    )
    ledger.append(drafts(1, 300))
    assert sum("tidegate_log_node" in each for each in asked) <= 2
    with ledger.reading() as connection:
        asked.clear()
        log.consistency_proof(connection, 170, 301)
    assert len(asked) <= 3


def test_a_log_that_lacks_a_node_is_not_gone_on_with(ledger: Ledger, database_url: str) -> None:
    ledger.append(drafts(3))
    with owner(database_url) as connection:
        connection.execute(log_node.delete())
    with pytest.raises(TamperedError, match="lacks the node"):
        ledger.append(drafts(1, 3))


def test_an_elliptic_key_signs_too(database_url: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    from tidegate.attestation import KeyList, TrustedKey
    from tidegate.ledger.audit import audit

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key = SigningKey.from_pem(pem)
    with Ledger.open(database_url, key=key) as ledger:
        record(ledger)
        assert audit(ledger, KeyList([TrustedKey(key.public, "curve")])).problems == ()
        with pytest.raises(UsageError, match="ed25519"):
            ledger.checkpoint()


def test_a_decision_about_bytes_without_a_digest_is_covered(
    ledger: Ledger, database_url: str
) -> None:
    manifest = a_manifest()
    ledger.record(a_decision(manifest, None), policy=POLICY, manifest=None, evidence=None)
    evidence = an_evidence(manifest)
    ledger.record(
        a_decision(manifest, evidence), policy=POLICY, manifest=manifest, evidence=evidence
    )
    assert look(database_url).problems == ()
    assert all(FIELD in each["predicate"] for each in statements(database_url))
