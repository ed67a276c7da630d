"""Without a token nothing is told; a scope allows what it names; a token ends when it should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from samples.consoles import Console
from samples.ledger_records import a_manifest, an_evidence, execute, record

from tidegate.attestation.own_key import trusted_keys
from tidegate.console.access import FAILURES, WINDOW, Doorkeeper, NoTokenError, TooManyRefusedError
from tidegate.errors import AccessRefusedError, UsageError
from tidegate.ledger import Ledger, RemoteLedger
from tidegate.ledger.tokens import Scope, add, authenticate, revoke, tokens
from tidegate.ledger.wire import evidence_message, new_key
from tidegate.policy import Action, ReviewVerdict
from tidegate.scanners.registry import ruleset_version

READS = (
    "account", "origin", "manifest", "policy", "evidence", "evidence-for", "step",
    "latest-evidence", "decision", "latest-decision", "waivers", "reviews", "subjects", "places",
    "passing", "held", "signatures", "resolve", "sbom", "registrations",
)  # fmt: skip
NOW = datetime.now(UTC)


def test_without_a_token_no_path_but_health_answers(console: Console) -> None:
    _, described = console.ask("GET", "/openapi.json")
    paths = {path for path in described["paths"] if path.startswith("/v1/")}
    assert paths >= {f"/v1/{name}" for name in READS} | {
        f"/v1/{name}" for name in ("standing", "waivers", "reviews", "checkpoint", "steps")
    }
    for path, methods in described["paths"].items():
        for method in methods:
            status, told = console.ask(method.upper(), path)
            assert (status, told.get("error")) == (
                (200, None) if path == "/health" else (401, "NoTokenError")
            ), path
    assert console.ask("GET", "/health")[1] == {"status": "ok"}


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer tdg_1_" + "a" * 43, "Bearer \xff", "x" * 5000],
)
def test_what_is_no_token_is_refused(console: Console, header: str) -> None:
    status, told = console.ask("GET", "/v1/held", headers={"Authorization": header})
    assert (status, told["error"]) == (401, "NoTokenError")


def test_a_reader_may_write_nothing(console: Console) -> None:
    with Ledger.open(console.database) as own:
        decided = record(own, "read-only.pkl", subject="read/1")
        before = own.decision(decided.id or 0), len(own.held(limit=10_000))
    manifest = a_manifest("reader.pkl")
    evidence = an_evidence(manifest, ruleset=ruleset_version())
    with console.ledger(console.token("viewer", Scope.READ)) as viewer:
        assert viewer.held()
        with pytest.raises(AccessRefusedError, match="write-evidence"):
            viewer.settle(manifest, evidence, action=Action.REGISTER, subject="x")
        with pytest.raises(AccessRefusedError, match="review"):
            viewer.review("read/1", ReviewVerdict.APPROVE, reason="x")
        with pytest.raises(AccessRefusedError, match="review"):
            viewer.waive("read/1", rule="PICKLE-TRAILING", reason="x", days=1)
        standing = viewer.stand(decided.digest, Action.DEPLOY, subject="a new name")
        assert not standing.allowed
        assert standing.id is None
    with Ledger.open(console.database) as own:
        assert own.subjects_of(decided.digest) == ("read/1",)
        assert (own.decision(decided.id or 0), len(own.held(limit=10_000))) == before


def test_a_worker_may_not_review_and_a_reviewer_may_send_no_evidence(console: Console) -> None:
    with Ledger.open(console.database) as own:
        record(own, "scopes.pkl", subject="scopes/1")
    manifest = a_manifest("scopes-2.pkl")
    evidence = an_evidence(manifest, ruleset=ruleset_version())
    with console.ledger(console.token("worker")) as worker:
        for verdict in ReviewVerdict:
            with pytest.raises(AccessRefusedError):
                worker.review("scopes/1", verdict, reason="mine")
        with pytest.raises(AccessRefusedError):
            worker.waive("scopes/1", rule="PICKLE-TRAILING", reason="mine", days=1)
    with console.ledger(console.token("grace", Scope.REVIEW)) as grace:
        with pytest.raises(AccessRefusedError):
            grace.settle(manifest, evidence, action=Action.LOAD, subject="scopes-2")
        assert grace.review("scopes/1", ReviewVerdict.APPROVE, reason="known").allowed
    with Ledger.open(console.database) as own:
        (review,) = own.reviews_for(own.resolve("scopes/1"))
        assert (review.actor, review.reason) == ("grace", "known")


def test_a_revoked_token_ends_with_the_next_request(console: Console) -> None:
    with console.ledger(console.token("leaver")) as leaver:
        assert leaver.held() is not None
        with Ledger.open(console.database) as own:
            (mine,) = (each for each in tokens(own) if each.holder == "leaver")
            revoke(own, mine.id, actor="ada", now=NOW)
            again = revoke(own, mine.id, actor="bo", now=NOW)
            assert again.revoked_at is not None
        with pytest.raises(AccessRefusedError, match="revoked"):
            leaver.held()


def test_nobody_opens_a_remote_ledger_without_a_token(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIDEGATE_TOKEN", raising=False)
    with pytest.raises(AccessRefusedError, match="wants a token"):
        RemoteLedger.open(console.address)


class TestTokensInTheLedger:
    """The same without a server."""

    def make(self, ledger: Ledger, **changes) -> str:
        given = {"holder": "ci", "scopes": [Scope.READ], "expires_at": NOW + timedelta(days=1)}
        return add(ledger, **{**given, "actor": "ada", "now": NOW, **changes})[1]

    def test_a_token_counts_until_its_end(self, ledger: Ledger) -> None:
        secret = self.make(ledger, scopes=[Scope.REVIEW])
        token = authenticate(ledger, secret, keys=trusted_keys(), now=NOW)
        assert (token.holder, token.scopes, token.actor) == ("ci", (Scope.REVIEW,), "ada")
        assert token.allows(Scope.READ)
        assert not token.allows(Scope.WRITE_EVIDENCE)
        with pytest.raises(AccessRefusedError, match="ended"):
            authenticate(ledger, secret, keys=trusted_keys(), now=NOW + timedelta(days=1))

    def test_the_secret_is_nowhere_in_the_database(
        self, ledger: Ledger, database_url: str, tmp_path
    ) -> None:
        secret = self.make(ledger).rpartition("_")[2]
        with ledger.reading() as connection:
            for table in ("tidegate_token", "tidegate_statement"):
                rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
                assert secret not in str(rows)

    def test_a_changed_character_anywhere_is_another_token(self, ledger: Ledger) -> None:
        secret = self.make(ledger)
        for at in range(len(secret)):
            wrong = secret[:at] + ("A" if secret[at] != "A" else "B") + secret[at + 1 :]
            with pytest.raises(AccessRefusedError, match="not one of this ledger's"):
                authenticate(ledger, wrong, keys=trusted_keys(), now=NOW)

    def test_a_token_that_was_put_in_past_the_ledger_does_not_count(
        self, ledger: Ledger, database_url: str
    ) -> None:
        import hashlib

        self.make(ledger)
        secret = "A" * 43
        hashed = hashlib.sha256(secret.encode()).hexdigest()
        columns = "id, holder, scopes, secret_hash, actor, created_at, expires_at"
        execute(
            database_url,
            f"INSERT INTO tidegate_token ({columns}) SELECT 7, holder, '[\"review\"]', "
            f"'{hashed}', actor, created_at, expires_at FROM tidegate_token",
        )
        with pytest.raises(AccessRefusedError, match="no statement by a key"):
            authenticate(ledger, f"tdg_7_{secret}", keys=trusted_keys(), now=NOW)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"holder": "ada (says: root)"}, "name"),
            ({"holder": ""}, "name"),
            ({"scopes": []}, "scope"),
            ({"expires_at": NOW}, "expired"),
        ],
    )
    def test_what_is_no_token_is_not_made(self, ledger: Ledger, change, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            self.make(ledger, **change)
        assert tokens(ledger) == ()


def test_an_address_that_tries_many_tokens_waits_and_its_neighbours_do_not(
    ledger: Ledger,
) -> None:
    now = [0.0]
    doorkeeper = Doorkeeper(ledger, trusted_keys(ledger.signing_key()), clock=lambda: now[0])
    good = TestTokensInTheLedger().make(ledger)
    late = TestTokensInTheLedger().make(ledger, holder="late")
    doorkeeper.admit(f"Bearer {good}", "10.0.0.1", Scope.READ)
    for number in range(FAILURES):
        with pytest.raises(NoTokenError):
            doorkeeper.admit(f"Bearer guess-{number}", "10.0.0.1", Scope.READ)
    with pytest.raises(TooManyRefusedError) as refused:
        doorkeeper.admit(f"Bearer {late}", "10.0.0.1", Scope.READ)
    assert 0 < refused.value.wait <= WINDOW + 1
    assert doorkeeper.admit(f"Bearer {good}", "10.0.0.1", Scope.READ).holder == "ci"
    assert doorkeeper.admit(f"Bearer {late}", "10.0.0.2", Scope.READ).holder == "late"
    now[0] += WINDOW + 1
    assert doorkeeper.admit(f"Bearer {late}", "10.0.0.1", Scope.READ).holder == "late"


def test_a_message_of_another_token_is_another_message(console: Console) -> None:
    """The same key from two holders are two requests: nobody learns what the other sent."""
    manifest = a_manifest("two-holders.pkl")
    evidence = an_evidence(manifest, ruleset=ruleset_version())
    body = evidence_message(manifest, evidence, action=Action.LOAD, subject="two")
    key = new_key()
    with console.ledger(console.token("one")) as one, console.ledger(console.token("two")) as two:
        first = one.send_evidence(body, key=key)
        second = two.send_evidence(body, key=key)
    assert (first.actor, second.actor) == ("one", "two")
    assert first.id != second.id
