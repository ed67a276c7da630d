"""A ledger over HTTP answers what the ledger in the database does, and the console decides."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from samples.consoles import Console
from samples.ledger_records import NOW, RULE, a_manifest, a_signature, record
from samples.model_signers import curve_key, signing_key

from tidegate import Action, Gate
from tidegate.attestation.signatures import SigningIdentity
from tidegate.errors import AccessRefusedError, RecordNotFoundError, TidegateError, UsageError
from tidegate.ledger import Ledger, LedgerReader, RemoteLedger
from tidegate.ledger.tokens import Scope
from tidegate.policy import Outcome, ReviewVerdict


def test_every_question_gets_the_answer_of_the_database(console: Console) -> None:
    with Ledger.open(console.database) as own, console.ledger() as remote:
        decided = record(own, "asked.pkl", subject="asked/1", place="/srv/asked")
        digest = decided.digest
        fingerprints = tuple(sorted(own.latest_evidence(digest).fingerprints))
        said = {"digest": digest, "fingerprints": fingerprints, "actor": "bo", "reason": "seen"}
        own.add_review(
            **said, verdict=ReviewVerdict.REJECT, evidence_id=decided.evidence_id, now=NOW
        )
        own.add_waiver(**said, rule=RULE, now=NOW, expires_at=NOW + timedelta(days=1))
        own.add_registration(
            store="s", name="asked", version="1", created_ms=1, source="/srv/asked",
            digest=digest, decision_id=decided.id,
        )  # fmt: skip
        own.add_sbom(digest=digest, subject="asked/1", body='{"a": 1}', now=NOW)
        assert remote.sbom_for("asked/1") == '{"a": 1}'
        assert remote.resolve("asked/1") == digest
        assert remote.decision(decided.id or 0) == decided
        assert remote.latest_decision(digest) == decided
        assert remote.latest_decision(digest, action=Action.DEPLOY) is None
        assert remote.latest_decision(digest, subject="asked/1") == decided
        assert remote.manifest(digest) == own.manifest(digest)
        assert remote.evidence(decided.evidence_id or "") == own.latest_evidence(digest)
        assert remote.latest_evidence(digest) == own.latest_evidence(digest)
        assert remote.evidence_for(digest, "rules-1") == own.latest_evidence(digest)
        assert remote.policy(decided.policy_digest) == own.policy(decided.policy_digest)
        assert remote.subjects_of(digest) == ("asked/1",)
        assert remote.places_of(digest) == ("/srv/asked",)
        assert remote.held() == own.held()
        assert remote.passing() == own.passing()
        assert remote.reviews_for(digest) == own.reviews_for(digest)
        assert remote.waivers_for(digest) == own.waivers_for(digest)
        assert remote.registrations_of(digest) == own.registrations_of(digest)
        assert remote.origin() == own.origin()


def test_what_is_not_on_record_is_the_same_error_as_beside_the_database(console: Console) -> None:
    with console.ledger() as remote:
        for ask in (remote.resolve, remote.sbom_for, remote.evidence):
            with pytest.raises(RecordNotFoundError):
                ask("nobody-knows/7")
        with pytest.raises(RecordNotFoundError):
            remote.decision(10**9)


def test_a_remote_ledger_has_all_that_readers_are_promised() -> None:
    promised = {name for name in vars(LedgerReader) if not name.startswith("_")}
    assert promised <= {name for name in dir(RemoteLedger) if not name.startswith("_")} | {"url"}


def test_what_needs_the_database_says_so(console: Console) -> None:
    with console.ledger() as remote, pytest.raises(UsageError, match="needs the ledger's database"):
        remote.add_registration(store="", name="a", version="1")


def test_a_check_scans_here_and_is_decided_there(console: Console, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n(S'echo tidegate-remote'\ntR.")
    token = console.token("checker")
    with Gate.open(ledger=console.ledger(token)) as gate:
        decision = gate.check(tmp_path, Action.REGISTER, subject="checked/1", actor="dag.task")
        assert decision.outcome is Outcome.QUARANTINE
        assert decision.id is not None
        assert decision.actor == "checker (says: dag.task)"
        again = gate.check(tmp_path, Action.REGISTER, subject="checked/1", actor="dag.task")
        assert again.evidence_id == decision.evidence_id, "which is on record, and is not made anew"
        assert gate.standing(tmp_path, Action.LOAD).outcome is Outcome.QUARANTINE
        assert gate.standing_of("checked/1").outcome is Outcome.QUARANTINE
        assert gate.dossier("checked/1").evidence.claimed_by == "checker"
        assert decision.digest in {each.decision.digest for each in gate.held(limit=10_000)}
    with Ledger.open(console.database) as own:
        assert own.decision(decision.id) == decision


def test_a_signature_is_recorded_over_http_once_and_counts_as_the_consoles_policy_says(
    console: Console, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"signed": true}')
    identity = SigningIdentity(signing_key(curve_key()))
    token = console.token("signer")
    with Gate.open(ledger=console.ledger(token)) as gate:
        digest = gate.check(tmp_path, Action.REGISTER, subject="signed/1").digest
        decision, signature = gate.sign("signed/1", identity, actor="ignored")
        assert decision.outcome is Outcome.ALLOW
        assert signature is not None
        assert signature.actor == "signer"
        now = signature.created_at
        again = gate.ledger.add_signature(
            digest=digest, bundle=signature.bundle, actor="ignored", now=now
        )
        assert again == signature
        assert gate.ledger.signatures_for(digest) == (signature,)
    with Ledger.open(console.database) as own:
        assert own.signatures_for(digest) == (signature,)


def test_what_is_held_at_the_console_is_not_signed_here(console: Console, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n(S'echo signed-test'\ntR.")
    identity = SigningIdentity(signing_key(curve_key()))
    with Gate.open(ledger=console.ledger(console.token("signer"))) as gate:
        digest = gate.check(tmp_path, Action.REGISTER, subject="unsigned/1").digest
        decision, signature = gate.sign("unsigned/1", identity, actor="ignored")
        assert decision.outcome is Outcome.QUARANTINE
        assert signature is None
        assert gate.ledger.signatures_for(digest) == ()


def test_a_signature_over_other_files_is_refused_by_the_console(console: Console) -> None:
    with Ledger.open(console.database) as own, console.ledger() as remote:
        digest = record(own, "signature.pkl", subject="signature/1").digest
        bundle = a_signature(a_manifest("another.pkl"))
        with pytest.raises(TidegateError, match="not over these files"):
            remote.add_signature(digest=digest, bundle=bundle, actor="", now=NOW)
        assert own.signatures_for(digest) == ()


def test_a_reader_records_no_signature(console: Console) -> None:
    token = console.token("reader", Scope.READ)
    with Ledger.open(console.database) as own, console.ledger(token) as remote:
        digest = record(own, "unread.pkl", subject="unread/1").digest
        bundle = a_signature(a_manifest("unread.pkl"))
        with pytest.raises(AccessRefusedError):
            remote.add_signature(digest=digest, bundle=bundle, actor="", now=NOW)


def test_the_registration_of_a_version_is_found_under_an_earlier_name_too(
    console: Console,
) -> None:
    with Ledger.open(console.database) as own, console.ledger() as remote:
        decided = record(own, "renamed.pkl", subject="before/1")
        made = own.add_registration(
            store="s", name="before", version="1", created_ms=77, source="/srv/renamed",
            digest=decided.digest, decision_id=decided.id,
        )  # fmt: skip
        for name in ("before", "after"):
            assert remote.registration_known("s", name, "1", 77, "/srv/renamed") == made
        assert remote.registration_known("s", "after", "1", 78, "/srv/renamed") is None


def test_a_client_by_other_rules_is_told_before_it_scans(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.json").write_text("{}")
    with Gate.open(ledger=console.ledger()) as gate:
        monkeypatch.setattr("tidegate.remote_gate.ruleset_version", lambda: "rules-of-tomorrow")
        with pytest.raises(UsageError, match="rules-of-tomorrow"):
            gate.check(tmp_path, Action.REGISTER)
