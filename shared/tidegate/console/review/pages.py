"""The review pages themselves: a request in, an answer out, whatever server carries them.

Always holds: a GET changes nothing; what is posted is checked for who sent it, from where, and
against the state that he was shown, before anything is recorded; every answer says that it is not
to be kept, framed or scripted, and none is a 5xx.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.console.review.dossier import Record, record_of, told_in_a_terminal
from tidegate.console.review.forms import Forms, is_same_site
from tidegate.console.review.rendering import render, style_sheet
from tidegate.console.review.viewer import Viewer
from tidegate.errors import OperatorError, RecordNotFoundError, TidegateError
from tidegate.gate import Gate
from tidegate.ledger.review_lists import Shown, decisions, runs_with_credentials
from tidegate.policy import Decision
from tidegate.policy.explain import explain
from tidegate.policy.model import Mode

_log = logging.getLogger(__name__)

PAGE = 50
"""Rows on one page of a list."""
MAX_FORM = 64 << 10
"""Bytes of a form at most; for whoever reads it."""
_MOST_ROWS = 200
_LONGEST_REASON = 2000
_HTML = "text/html; charset=utf-8"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer, which would take the Origin from our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks. `path` begins after the pages' own, header names are lower-case."""

    method: str
    path: str
    viewer: Viewer
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class _RefusedError(Exception):
    """A request that is not answered with what it asks for."""

    def __init__(self, status: int, title: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.status, self.title, self.message, self.remedy = status, title, message, remedy


class ReviewPages:
    """The pages over a gate.

    Args:
        gate: what is reviewed at.
        base: the path under which the pages are served, such as "/tidegate".
        key: what forms are sealed with; without one, nobody can decide here.
    """

    def __init__(self, gate: Gate, *, base: str, key: bytes | None) -> None:
        self._gate = gate
        self._base = base
        self._forms = Forms(key) if key else None

    def answer(self, request: Request) -> Answer:
        """The answer to a request; never raises for what a request or a record may hold."""
        try:
            return self._answer(request)
        except _RefusedError as refused:
            error: tuple[int, str, str, str] = (
                refused.status, refused.title, refused.message, refused.remedy,
            )  # fmt: skip
        except RecordNotFoundError:
            error = (404, "Not found", "Nothing that you may see is on record here.", "")
        except OperatorError as failure:
            _log.error("a review page can't be shown: %s", failure.message)
            error = (409, "The ledger can't be used now", failure.message, failure.remedy or "")
        except TidegateError as wrong:
            error = (400, "That can't be done", wrong.message, wrong.remedy or "")
        except Exception:  # noqa: BLE001 - a flaw must hold, with a reason
            # MLflow's clients take a 5xx for a reason to try again, and so does a proxy.
            _log.exception("a review page failed")
            error = (
                409, "This page failed", "The server's log has the reason.",
                "Use `tidegate review` on the server meanwhile.",
            )  # fmt: skip
        status, title, message, remedy = error
        return self._page(
            request, "message.html", status=status, title=title, message=message, remedy=remedy
        )

    def _answer(self, request: Request) -> Answer:
        path = request.path.strip("/")
        if request.method == "POST":
            return self._decide(request, _number(path))
        if request.method not in {"GET", "HEAD"}:
            raise _RefusedError(
                405, "Not allowed", "These pages are read, and forms are sent to them."
            )
        if path == "review.css":
            return Answer(
                200, style_sheet(), {**_HEADERS, "Content-Type": "text/css; charset=utf-8"}
            )
        if path == "":
            return self._list(request)
        if path == "credentials":
            return self._credentials(request)
        return self._one(request, _number(path))

    # What is shown

    def _list(self, request: Request) -> Answer:
        if not request.viewer.may_list:
            if request.viewer.name is None:
                return self._page(request, "off.html", title="Reviewing is off here")
            raise _RefusedError(
                403,
                "For admins",
                "The list of everything that is held is for this server's admins.",
                "The address in a refusal leads to your own model's page.",
            )
        try:
            shown = Shown(request.query.get("state", Shown.HELD.value))
        except ValueError:
            raise _RefusedError(400, "No such list", "There is no list of that kind.") from None
        name = request.query.get("name", "").strip()[:512]
        before = request.query.get("before", "")
        found = decisions(
            self._gate.ledger,
            shown,
            name=name,
            before=_number(before) if before else None,
            limit=PAGE + 1,
        )
        return self._page(
            request,
            "list.html",
            title="Model reviews",
            rows=found[:PAGE],
            more=found[PAGE - 1].decision.id if len(found) > PAGE else None,
            first=not before,
            shown=shown.value,
            states=[each.value for each in Shown],
            name=name,
        )

    def _one(self, request: Request, number: int) -> Answer:
        viewer = request.viewer
        if viewer.name is None and not viewer.sees_all:
            decision = told_in_a_terminal(self._gate, number)
            return self._page(
                request,
                "told.html",
                title=decision.subject or f"Decision {number}",
                decision=decision,
                told=explain(decision).splitlines(),
            )
        record = record_of(self._gate, number, viewer)
        now = datetime.now(UTC)
        may_decide = viewer.may_decide and self._forms is not None
        token = ""
        if may_decide:
            assert self._forms is not None
            token = self._forms.token(str(viewer.name), _about(record))
        return self._page(
            request,
            "decision.html",
            title=record.decision.subject or f"Decision {number}",
            record=record,
            decision=record.decision,
            may_decide=may_decide,
            token=token,
            most=_MOST_ROWS,
            now=now,
            first_day=(now + timedelta(days=1)).date().isoformat(),
            last_day=(now + timedelta(days=self._gate.policy.waiver_days)).date().isoformat(),
            policy=self._gate.policy,
            done=request.query.get("done", "") if _spoke_last(record, viewer) else "",
        )

    def _credentials(self, request: Request) -> Answer:
        if not request.viewer.may_decide:
            raise _RefusedError(
                403, "For admins", "Where runs hold credentials is shown to this server's admins."
            )
        after = request.query.get("after", "")[:512]
        found = runs_with_credentials(self._gate.ledger, after=after or None, limit=PAGE + 1)
        return self._page(
            request,
            "credentials.html",
            title="Credentials in runs",
            rows=found[:PAGE],
            more=found[PAGE - 1].step.id if len(found) > PAGE else None,
        )

    # What is decided

    def _decide(self, request: Request, number: int) -> Answer:
        record = self._sent_by_who_saw(request, number)
        actor = str(request.viewer.name)
        reason = request.form.get("reason", "").strip()
        if not reason or len(reason) > _LONGEST_REASON:
            raise _RefusedError(
                400,
                "A reason is needed",
                f"Nothing was recorded: give a reason of at most {_LONGEST_REASON} characters, "
                "for those who read the record later.",
            )
        # By its number, so that what is recorded is about what that decision shows (0005).
        reference = f"#{record.decision.id}"
        word = request.form.get("do", "")
        if word == "approve":
            self._gate.approve(reference, actor=actor, reason=reason)
        elif word == "reject":
            self._gate.reject(reference, actor=actor, reason=reason)
        elif word == "waive":
            self._gate.waive(
                reference,
                rule=request.form.get("rule", ""),
                actor=actor,
                reason=reason,
                until=_day(request.form.get("until", "")),
            )
        else:
            raise _RefusedError(
                400, "Nothing was chosen", "Approve, reject or waive: none was sent."
            )
        return Answer(
            303, b"", {**_HEADERS, "Location": f"{self._base}/{number}?done={word}",
                       "Content-Type": _HTML},
        )  # fmt: skip

    def _sent_by_who_saw(self, request: Request, number: int) -> Record:
        """The record that a form is about, if it is from an admin who was shown it as it is."""
        viewer = request.viewer
        if not viewer.may_decide or self._forms is None:
            raise _RefusedError(
                403,
                "For admins",
                "Nothing was recorded: only admins of this server, signed in as such, decide.",
            )
        if not is_same_site(request.headers, request.host):
            raise _RefusedError(
                403, "From another site", "Nothing was recorded: this form is not one of ours."
            )
        record = record_of(self._gate, number, viewer)
        token = request.form.get("token", "")
        if not self._forms.counts(token, str(viewer.name), _about(record)):
            raise _RefusedError(
                409,
                "Look again",
                "Nothing was recorded. What is on record has changed since this form was shown to "
                "you, or it was shown too long ago, or to somebody else.",
                f"Go back to {self._base}/{number} and read it as it stands now.",
            )
        decision = record.decision
        latest = None if record.evidence is None else record.evidence.id
        if decision.evidence_id != latest:
            # Scanned anew under another name. Decided anew, so that the next look shows that.
            self._gate.restand(decision.digest, viewer.name)
            raise _RefusedError(
                409,
                "Look again",
                "Nothing was recorded. These bytes were scanned again since that decision.",
                f"Go back to {self._base}/{number} and read it as it stands now.",
            )
        return record

    def _page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Answer:
        body = render(
            template,
            base=self._base,
            viewer=request.viewer,
            audit=self._gate.policy.mode is Mode.AUDIT,
            state_of=_state_of,
            **values,
        )
        headers = {**_HEADERS, "Content-Type": _HTML}
        return Answer(status, b"" if request.method == "HEAD" else body, headers)


def _spoke_last(record: Record, viewer: Viewer) -> bool:
    """Whether the newest word on record is the viewer's; an address alone proves nothing."""
    words = [(each.created_at, each.actor) for each in record.reviews]
    words += [(each.created_at, each.actor) for each in record.waivers]
    return bool(words) and max(words)[1] == viewer.name


def _about(record: Record) -> str:
    return f"{record.asked} {record.seen}"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise _RefusedError(404, "Not found", "There is no such page.")
    return int(text)


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise _RefusedError(
            400, "A day is needed", "Nothing was recorded: give the day at which it ends."
        ) from None


def _state_of(decision: Decision) -> tuple[str, str]:
    """A word for a decision, and the class that colours it."""
    if decision.outcome == "allow":
        covered = decision.waiver_ids or decision.review_id is not None
        return ("passes, by exception", "excepted") if covered else ("passes", "passes")
    word = "held" if decision.outcome == "quarantine" else "refused"
    return (word, word) if decision.enforced else (f"{word} (recorded only)", word)
