"""The review pages inject nothing, show nobody more than he may see, and believe no forged form."""

from __future__ import annotations

import html
import os
import pickle
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from samples.ledger_records import a_step

from tidegate.console.review.forms import LASTS, Forms, is_same_site
from tidegate.console.review.pages import PAGE, Answer, Request, ReviewPages
from tidegate.console.review.viewer import Viewer
from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import Action, Decision, Outcome, profile

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'\u202egpj"
ADMIN = Viewer("root", is_admin=True)
ADA = Viewer("ada", may_read=lambda known: known.name == "fraud")
BOB = Viewer("bob")
NOBODY = Viewer(None)


class RunsACommand:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo this must never run",)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        opened = Gate(profile("standard"), ledger)
        yield opened
        opened.engine.close()


@pytest.fixture
def pages(gate: Gate) -> ReviewPages:
    return ReviewPages(gate, base="/tidegate", key=b"shared by all processes")


def hold(gate: Gate, folder: Path, subject: str = "fraud/1", file: str = "model.pkl") -> Decision:
    """A held model of the registry."""
    folder.mkdir(exist_ok=True)
    (folder / file).write_bytes(pickle.dumps((subject, RunsACommand())))
    decision = gate.check(folder, Action.REGISTER, subject=subject)
    name, _, version = subject.rpartition("/")
    gate.ledger.add_registration(
        store="mlflow", name=name, version=version, created_ms=1, source=str(folder),
        digest=decision.digest, decision_id=decision.id,
    )  # fmt: skip
    return decision


def get(pages: ReviewPages, path: str = "", viewer: Viewer = ADMIN, **query: str) -> Answer:
    return pages.answer(Request("GET", path, viewer, "mlflow.example", query=query))


def token_on(page: Answer) -> str:
    match = re.search(r'name="token" value="([^"]+)"', page.body.decode())
    assert match is not None
    return match[1]


def post(
    pages: ReviewPages,
    number: int | None,
    form: dict[str, str],
    viewer: Viewer = ADMIN,
    **headers: str,
) -> Answer:
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    return pages.answer(
        Request("POST", str(number), viewer, "mlflow.example", headers=sent, form=form)
    )


def test_names_messages_and_reasons_of_others_are_text_and_nothing_else(
    gate: Gate, pages: ReviewPages, tmp_path: Path
) -> None:
    name = HOSTILE.replace("/", "_") + ".pkl"
    decision = hold(gate, tmp_path / "model", subject=f"{HOSTILE}/1", file=name)
    gate.approve(str(decision.id), actor=HOSTILE, reason=HOSTILE)
    gate.reject(str(decision.id), actor=HOSTILE, reason=HOSTILE)
    for page in (
        get(pages, state="all"),
        get(pages, str(decision.id)),
        get(pages, str(decision.id), NOBODY),
        get(pages, state="all", name=HOSTILE),
        get(pages, str(decision.id), done=HOSTILE),
    ):
        text = page.body.decode()
        assert page.status == 200
        assert set(re.findall(r"<(script|img|iframe|style|svg)", text)) == set()
        assert "\u202e" not in text
        assert "script-src" not in page.headers["Content-Security-Policy"]
    assert html.escape("<script>", quote=False) in get(pages, str(decision.id)).body.decode()


def test_every_answer_is_private_and_can_not_be_framed(gate: Gate, pages: ReviewPages) -> None:
    for page in (get(pages), get(pages, "9"), get(pages, "review.css"), get(pages, "x", BOB)):
        assert page.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert get(pages, "9").status == 404
    assert get(pages, "../../etc/passwd").status == 404
    assert get(pages, "9" * 40).status == 404
    assert get(pages, state="everything").status == 400
    assert get(pages, name="a\0b").status == 400


def test_an_admin_approves_what_he_was_shown(
    gate: Gate, pages: ReviewPages, tmp_path: Path
) -> None:
    decision = hold(gate, tmp_path / "model")
    page = get(pages, str(decision.id))
    assert b"PICKLE-EXEC" in page.body
    assert b"model.pkl" in page.body
    sent = {"token": token_on(page), "do": "approve", "reason": "a test of ours"}
    answer = post(pages, decision.id, sent, sec_fetch_site="same-origin")
    assert (answer.status, answer.headers["Location"]) == (
        303,
        f"/tidegate/{decision.id}?done=approve",
    )
    assert gate.standing_of("fraud/1").outcome is Outcome.ALLOW
    (review,) = gate.ledger.reviews_for(decision.digest)
    assert (review.actor, review.reason) == ("root", "a test of ours")


def test_an_address_alone_makes_nobody_believe_that_he_decided(
    gate: Gate, pages: ReviewPages, tmp_path: Path
) -> None:
    decision = hold(gate, tmp_path / "model")
    told = b"Your approval is on record."
    assert told not in get(pages, str(decision.id), done="approve").body
    gate.approve(str(decision.id), actor="root", reason="a test of ours")
    assert told in get(pages, str(decision.id), done="approve").body
    other = Viewer("other", is_admin=True)
    assert told not in get(pages, str(decision.id), other, done="approve").body


def test_a_waiver_ends_on_its_day_and_not_after_what_the_policy_allows(
    gate: Gate, pages: ReviewPages, tmp_path: Path
) -> None:
    decision = hold(gate, tmp_path / "model")
    token = token_on(get(pages, str(decision.id)))
    day = (datetime.now(UTC) + timedelta(days=9)).date()
    sent = {"token": token, "do": "waive", "rule": "PICKLE-EXEC", "reason": "known"}
    for until in ("", "tomorrow", "2199-01-01", "2001-01-01"):
        assert post(pages, decision.id, {**sent, "until": until}).status == 400
    assert gate.ledger.waivers_for(decision.digest) == ()
    assert post(pages, decision.id, {**sent, "until": day.isoformat()}).status == 303
    (waiver,) = gate.ledger.waivers_for(decision.digest)
    assert waiver.expires_at.date() == day
    assert (waiver.rule, waiver.actor) == ("PICKLE-EXEC", "root")


@pytest.mark.parametrize(
    "viewer",
    [ADA, BOB, NOBODY, Viewer(None, sees_all=True), Viewer(None, is_admin=True)],
)
def test_nobody_but_an_admin_decides(
    gate: Gate, pages: ReviewPages, tmp_path: Path, viewer: Viewer
) -> None:
    decision = hold(gate, tmp_path / "model")
    token = token_on(get(pages, str(decision.id)))
    for word in ("approve", "reject", "waive"):
        sent = {"token": token, "do": word, "reason": "please", "rule": "PICKLE-EXEC"}
        assert post(pages, decision.id, sent, viewer).status == 403
    assert gate.ledger.reviews_for(decision.digest) == ()
    assert b"<button name=" not in get(pages, str(decision.id), viewer).body


def test_no_form_of_another_site_user_artifact_or_state_counts(
    gate: Gate, pages: ReviewPages, tmp_path: Path
) -> None:
    decision = hold(gate, tmp_path / "model")
    other = hold(gate, tmp_path / "other", subject="churn/1")
    page = get(pages, str(decision.id))
    sent = {"token": token_on(page), "do": "approve", "reason": "mine"}
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        assert post(pages, decision.id, sent, **headers).status == 403
    assert post(pages, other.id, sent).status == 409
    assert post(pages, decision.id, sent, Viewer("eve", is_admin=True)).status == 409
    assert post(pages, decision.id, {**sent, "token": ""}).status == 409
    assert post(pages, decision.id, {**sent, "reason": "  "}).status == 400
    assert post(pages, decision.id, {**sent, "do": "explode"}).status == 400
    gate.reject(str(decision.id), actor="grace", reason="seen it")
    assert post(pages, decision.id, sent).status == 409
    assert [each.actor for each in gate.ledger.reviews_for(decision.digest)] == ["grace"]


def test_a_form_is_stale_once_another_scan_shows_something_else(
    gate: Gate, pages: ReviewPages, tmp_path: Path
) -> None:
    decision = hold(gate, tmp_path / "model")
    sent = {
        "token": token_on(get(pages, str(decision.id))), "do": "approve", "reason": "fine",
    }  # fmt: skip
    evidence = gate.ledger.latest_evidence(decision.digest)
    assert evidence is not None
    newer = replace(
        evidence,
        ruleset="newer",
        findings=(*evidence.findings, replace(evidence.findings[0], rule="PICKLE-TRAILING")),
    )
    manifest = gate.ledger.manifest(decision.digest)
    gate.settle(Action.LOAD, manifest, newer, subject="elsewhere")
    assert post(pages, decision.id, sent).status == 409
    again = get(pages, str(decision.id))
    # Decided on anew under every name, or the reader is told that there was another scan.
    assert b"PICKLE-TRAILING" in again.body
    first = post(pages, decision.id, {**sent, "token": token_on(again)})
    if first.status == 409:
        again = get(pages, str(decision.id))
        first = post(pages, decision.id, {**sent, "token": token_on(again)})
    assert first.status == 303
    assert gate.ledger.reviews_for(decision.digest)[0].evidence_id == newer.id


def test_a_user_reads_of_his_own_models_and_of_no_others(
    gate: Gate, pages: ReviewPages, tmp_path: Path
) -> None:
    own = hold(gate, tmp_path / "model")
    gate.ledger.add_registration(
        store="mlflow", name="secret-project", version="1", created_ms=2, source="elsewhere",
        digest=own.digest, decision_id=own.id,
    )  # fmt: skip
    gate.standing_of(own.digest, subject="secret-project/1")
    mine = get(pages, str(own.id), ADA)
    assert mine.status == 200
    assert b"PICKLE-EXEC" in mine.body
    assert b"secret-project" not in mine.body
    assert b"secret-project" in get(pages, str(own.id)).body
    other = hold(gate, tmp_path / "other", subject="churn/1")
    assert get(pages, str(other.id), ADA).status == 404
    assert get(pages, str(own.id), BOB).status == 404
    assert get(pages, "", ADA).status == 403
    assert get(pages, "credentials", ADA).status == 403


def test_where_nobody_is_told_from_anybody_only_the_refusal_is_told_again(
    gate: Gate, pages: ReviewPages, tmp_path: Path
) -> None:
    decision = hold(gate, tmp_path / "model")
    page = get(pages, str(decision.id), NOBODY)
    assert b"PICKLE-EXEC" in page.body
    assert b"SHA-256" not in page.body
    unregistered = gate.check(tmp_path / "model", Action.LOAD, subject="not of the registry")
    assert get(pages, str(unregistered.id), NOBODY).status == 404
    off = get(pages, "", NOBODY)
    assert b"tidegate-auth" in off.body
    assert b"fraud" not in off.body
    assert b"fraud/1" in get(pages, "", Viewer(None, sees_all=True)).body


def test_lists_go_on_from_page_to_page_and_by_name(
    gate: Gate, pages: ReviewPages, tmp_path: Path
) -> None:
    decision = hold(gate, tmp_path / "model")
    for number in range(2, PAGE + 5):
        gate.standing_of(decision.digest, subject=f"many%/{number}")
    first = get(pages).body.decode()
    assert first.count("<tr>") == PAGE + 1
    (before,) = re.findall(r"before=(\d+)", first)
    second = get(pages, before=before).body.decode()
    assert second.count("<tr>") == PAGE + 4 - PAGE + 1
    assert "fraud/1" in second
    by_name = get(pages, name="fraud").body.decode()
    assert "fraud/1" in by_name
    assert "many" not in by_name
    assert "Nothing of that kind" in get(pages, name="frau").body.decode()
    assert "Nothing of that kind" in get(pages, name="%").body.decode()


def test_runs_that_hold_credentials_are_listed_without_them(gate: Gate, pages: ReviewPages) -> None:
    plain: dict[str, Any] = {"run": "b" * 32, "credentialsIn": []}
    held: dict[str, Any] = {"run": "a" * 32, "credentialsIn": ["params.db_password", HOSTILE]}
    fake: dict[str, Any] = {"note": '"credentialsIn":["x"]'}
    for number, parameters in enumerate((plain, held, fake), 1):
        gate.ledger.record_step(a_step(number, parameters=parameters))
    page = get(pages, "credentials")
    text = page.body.decode()
    assert page.status == 200
    assert "params.db_password" in text
    assert "train-2" in text
    assert "train-1" not in text
    assert "train-3" not in text
    assert "<script" not in text


def test_a_token_ends_and_can_not_be_made_without_the_key() -> None:
    now = [1000.0]
    forms = Forms(b"key", clock=lambda: now[0])
    token = forms.token("root", "seen")
    assert forms.counts(token, "root", "seen")
    assert not forms.counts(token, "root", "other")
    assert not forms.counts(token, "ro", "otseen")
    assert not Forms(b"other", clock=lambda: now[0]).counts(token, "root", "seen")
    for wrong in ("", ".", "1000.", "٣.x", f"9{token}", token[:-1], "\udcff.\udcff"):
        assert not forms.counts(wrong, "root", "seen")
    now[0] += LASTS + 1
    assert not forms.counts(token, "root", "seen")


def test_a_form_is_ours_where_the_browser_says_so() -> None:
    assert is_same_site({"sec-fetch-site": "same-origin", "origin": "https://proxy"}, "inside:5000")
    assert is_same_site({"origin": "http://Inside:5000"}, "inside:5000")
    assert is_same_site({}, "inside:5000")
    assert not is_same_site({"origin": "http://inside:5001"}, "inside:5000")
    assert not is_same_site({"sec-fetch-site": "none"}, "inside:5000")
