"""A row that does not say what was recorded raises; it is never taken for no row at all."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import sqlalchemy
from samples.ledger_records import NOW, POLICY, a_manifest, a_signature, an_evidence, record

from tidegate.errors import OperatorError
from tidegate.ledger import Ledger
from tidegate.ledger.schema import metadata
from tidegate.policy import Decision, ReviewVerdict


def alter(url: str, table: str, **values: object) -> None:
    """Change a table's rows as somebody would who may also change the schema."""
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        if url.startswith("sqlite"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_update")
        else:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER tidegate_append_only")
        connection.execute(metadata.tables[table].update().values(**values))
    engine.dispose()


def body_of(url: str, table: str, column: str = "body") -> dict[str, object]:
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        text = connection.exec_driver_sql(f"SELECT {column} FROM {table}").scalar_one()
    engine.dispose()
    value = json.loads(text)
    assert isinstance(value, dict)
    return value


@pytest.fixture
def recorded(ledger: Ledger) -> Decision:
    return record(ledger)


BROKEN = ["", "{", "[]", "null", "{}", '{"schema": 2}', "[" * 100_000]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_body_that_does_not_parse_is_never_taken_for_no_record(
    ledger: Ledger, database_url: str, recorded: Decision, text: str
) -> None:
    alter(database_url, "tidegate_evidence", body=text)
    alter(database_url, "tidegate_decision", body=text)
    alter(database_url, "tidegate_policy", body=text)
    alter(database_url, "tidegate_artifact", manifest=text)
    asks: tuple[Callable[[], object], ...] = (
        lambda: ledger.evidence_for(recorded.digest, "rules-1"),
        lambda: ledger.latest_evidence(recorded.digest),
        lambda: ledger.evidence(str(recorded.evidence_id)),
        lambda: ledger.decision(recorded.id or 0),
        lambda: ledger.latest_decision(recorded.digest),
        ledger.held,
        lambda: ledger.policy(recorded.policy_digest),
        lambda: ledger.manifest(recorded.digest),
    )
    for ask in asks:
        with pytest.raises(OperatorError, match="record was altered"):
            ask()


def test_evidence_with_a_finding_taken_out_is_not_believed(
    ledger: Ledger, database_url: str, recorded: Decision
) -> None:
    clean = an_evidence(a_manifest(), severity=None)
    alter(
        database_url,
        "tidegate_evidence",
        body=json.dumps(clean.to_dict()),
        verdict=clean.verdict.value,
    )
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.evidence_for(recorded.digest, "rules-1")


@pytest.mark.parametrize(("column", "value"), [("ruleset", "rules-2"), ("verdict", "pass")])
def test_evidence_whose_columns_say_other_than_its_body_is_not_believed(
    ledger: Ledger, database_url: str, recorded: Decision, column: str, value: str
) -> None:
    alter(database_url, "tidegate_evidence", **{column: value})
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.latest_evidence(recorded.digest)


def test_evidence_moved_to_other_bytes_is_not_believed(
    ledger: Ledger, database_url: str, recorded: Decision
) -> None:
    other = record(ledger, "other.pkl", severity=None, subject="other")
    alter(database_url, "tidegate_evidence", digest=recorded.digest)
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.latest_evidence(other.digest)


def test_a_decision_pointed_at_clean_evidence_of_other_bytes_is_not_followed(
    ledger: Ledger, database_url: str, recorded: Decision
) -> None:
    other = record(ledger, "other.pkl", severity=None, subject="other")
    alter(database_url, "tidegate_decision", evidence_id=other.evidence_id)
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.evidence_for(recorded.digest, "rules-1")
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.latest_evidence(recorded.digest)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("outcome", "allow"),
        ("subject", "churn/1"),
        ("action", "load"),
        ("digest", a_manifest("other.pkl").digest),
        ("enforced", False),
        ("actor", "mallory"),
        ("created_at", "2020-01-01T00:00:00.000000+00:00"),
    ],
)
def test_a_decision_whose_columns_say_other_than_its_body_is_not_believed(
    ledger: Ledger, database_url: str, recorded: Decision, column: str, value: object
) -> None:
    alter(database_url, "tidegate_decision", **{column: value})
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.decision(recorded.id or 0)


def test_a_decision_whose_body_says_other_than_its_columns_is_not_believed(
    ledger: Ledger, database_url: str, recorded: Decision
) -> None:
    body = body_of(database_url, "tidegate_decision")
    alter(database_url, "tidegate_decision", body=json.dumps({**body, "outcome": "allow"}))
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.latest_decision(recorded.digest)


def test_a_policy_that_was_loosened_is_not_believed(
    ledger: Ledger, database_url: str, recorded: Decision
) -> None:
    body = body_of(database_url, "tidegate_policy")
    alter(database_url, "tidegate_policy", body=json.dumps({**body, "mode": "audit"}))
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.policy(recorded.policy_digest)


def test_a_manifest_with_a_file_taken_out_is_not_believed(
    ledger: Ledger, database_url: str, recorded: Decision
) -> None:
    other = a_manifest("other.pkl").to_dict()
    alter(database_url, "tidegate_artifact", manifest=json.dumps(other))
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.manifest(recorded.digest)


def test_an_altered_row_also_stops_whoever_would_record_it_again(
    ledger: Ledger, database_url: str, recorded: Decision
) -> None:
    body = body_of(database_url, "tidegate_policy")
    alter(database_url, "tidegate_policy", body=json.dumps({**body, "hold_at": "critical"}))
    with pytest.raises(OperatorError, match="record was altered"):
        record(ledger)
    assert recorded.policy_digest == POLICY.digest


def test_the_same_content_in_other_words_is_no_alteration(
    ledger: Ledger, database_url: str, recorded: Decision
) -> None:
    body = body_of(database_url, "tidegate_artifact", "manifest")
    alter(database_url, "tidegate_artifact", manifest=json.dumps(body, indent=2))
    assert record(ledger).digest == recorded.digest


@pytest.mark.parametrize(
    ("column", "value"),
    [("verdict", "maybe"), ("fingerprints", "{}"), ("fingerprints", "[1]"), ("created_at", "now")],
)
def test_a_review_that_does_not_read_is_never_taken_for_no_review(
    ledger: Ledger, database_url: str, recorded: Decision, column: str, value: str
) -> None:
    ledger.add_review(
        digest=recorded.digest,
        verdict=ReviewVerdict.REJECT,
        fingerprints=["f1"],
        actor="grace",
        reason="no",
        evidence_id=None,
        now=NOW,
    )
    alter(database_url, "tidegate_review", **{column: value})
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.reviews_for(recorded.digest)
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.held()


@pytest.mark.parametrize(
    ("column", "value"),
    [("fingerprints", "f1"), ("expires_at", "2099-01-01T00:00:00"), ("expires_at", "")],
)
def test_a_waiver_that_does_not_read_raises(
    ledger: Ledger, database_url: str, recorded: Decision, column: str, value: str
) -> None:
    ledger.add_waiver(
        digest=recorded.digest,
        rule="PICKLE-TRAILING",
        fingerprints=["f1"],
        actor="grace",
        reason="known",
        expires_at=NOW.replace(year=2027),
        now=NOW,
    )
    alter(database_url, "tidegate_waiver", **{column: value})
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.waivers_for(recorded.digest)


def test_a_signature_that_was_exchanged_is_not_believed(
    ledger: Ledger, database_url: str, recorded: Decision
) -> None:
    ledger.add_signature(
        digest=recorded.digest, bundle=a_signature(a_manifest()), actor="grace", now=NOW
    )
    alter(database_url, "tidegate_signature", bundle=a_signature(a_manifest()))
    with pytest.raises(OperatorError, match="record was altered"):
        ledger.signatures_for(recorded.digest)
