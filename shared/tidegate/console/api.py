"""The routes of the ledger's HTTP API, version 1.

Each is a few lines: what may be sent stands in `messages`, what it is worth in `claims`, and what
is done in the gate and its ledger. Always holds: a write goes under its sender's idempotency key,
and the same again is answered as the first time; whoever may only read writes nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Query
from fastapi import Request as HttpRequest
from pydantic import BaseModel

from tidegate.console import claims
from tidegate.console.messages import (
    AccountMessage,
    Asked,
    CheckpointMessage,
    Decided,
    Digest,
    Note,
    ReviewMessage,
    Settle,
    SignatureMessage,
    Signed,
    Standing,
    StepMessage,
    Stepped,
    WaiverMessage,
)
from tidegate.errors import AccessRefusedError, LedgerUnavailableError, UsageError
from tidegate.gate import Gate
from tidegate.ledger import requests
from tidegate.ledger.bundle import checkpoint_with_proof
from tidegate.ledger.connect import LOCK_SECONDS
from tidegate.ledger.requests import AlreadyRecordedError, Recorded, Request
from tidegate.ledger.step_message import step_to_message
from tidegate.ledger.tokens import Scope, Token
from tidegate.ledger.wire import review_to_dict, signature_to_dict, waiver_to_dict
from tidegate.policy import Action, Decision
from tidegate.policy.model import ReviewVerdict

_T = TypeVar("_T")

_Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=requests.MAX_KEY,
        pattern=r"^[A-Za-z0-9:._-]+$",
        description="Chosen by the sender. The same request under the same key is recorded once.",
    ),
]
_Reference = Annotated[str, Query(min_length=1, max_length=4096)]
_MOST_HELD = 10_000
_ROWS = {"evidence": "decision"}
"""With the row of which table a kind of write is done, where that is not its own name."""


def _may(scope: Scope) -> Any:
    def token_of(request: HttpRequest) -> Token:
        token = request.state.token
        assert isinstance(token, Token)
        if not token.allows(scope):
            raise AccessRefusedError(
                f"the token of {token.holder} allows {', '.join(token.scopes)}; "
                f"this takes {scope.value}",
                remedy="ask whoever runs the console for a token with that scope",
            )
        return token

    return Depends(token_of)


_Reader = Annotated[Token, _may(Scope.READ)]
_Writer = Annotated[Token, _may(Scope.WRITE_EVIDENCE)]
_Reviewer = Annotated[Token, _may(Scope.REVIEW)]


class _Writes:
    """Writes of this process, one at a time, each under its sender's key.

    One at a time because only one can append anyway: those that wait at the database would each
    hold a connection, which the one who writes needs as well.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._turn = threading.Lock()

    def once(
        self,
        token: Token,
        operation: str,
        key: str,
        message: BaseModel,
        do: Callable[[], _T],
        again: Callable[[Recorded], _T],
    ) -> _T:
        """Do it under the key; where it was done already, what `again` makes of the record."""
        content = hashlib.sha256(message.model_dump_json(by_alias=True).encode()).hexdigest()
        request = Request(
            key,
            operation,
            content,
            token.holder,
            token.id,
            table=f"tidegate_{_ROWS.get(operation, operation)}",
        )
        with self.turn():
            if (recorded := requests.find(self._gate.ledger, request)) is not None:
                return again(recorded)
            try:
                with requests.under(request):
                    return do()
            except AlreadyRecordedError as already:
                return again(already.recorded)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """This process's one place for who writes."""
        if not self._turn.acquire(timeout=LOCK_SECONDS):
            raise LedgerUnavailableError("the console is busy", remedy="try again")
        try:
            yield
        finally:
            self._turn.release()


def make_router(gate: Gate) -> APIRouter:
    """The routes over a gate, whose ledger is in a database."""
    router = APIRouter(prefix="/v1")
    writes = _Writes(gate)
    _add_writes(router, gate, writes)
    _add_questions(router, gate)
    return router


def _add_writes(router: APIRouter, gate: Gate, writes: _Writes) -> None:
    def decided(decision: Decision) -> Decided:
        return Decided(decision=decision.to_dict())

    @router.post("/evidence", summary="Record claimed evidence; the console's decision on it")
    def evidence(message: Settle, token: _Writer, key: _Key) -> Decided:
        def again(recorded: Recorded) -> Decision:
            number = recorded.key_in("tidegate_decision")
            if not isinstance(number, int):
                raise UsageError("no decision was recorded under this key")
            return gate.ledger.decision(number)

        return decided(
            writes.once(
                token,
                "evidence",
                key,
                message,
                lambda: claims.settle(gate, token, message),
                again,
            )
        )

    @router.post("/steps", summary="Record a step of a pipeline, as its sender's word")
    def steps(message: StepMessage, token: _Writer, key: _Key) -> Stepped:
        step = claims.read_step(token, message)
        return writes.once(
            token,
            "step",
            key,
            message,
            lambda: Stepped(step=step.id, new=gate.ledger.record_step(step)),
            lambda _: Stepped(step=step.id, new=False),
        )

    @router.post("/standing", summary="Whether bytes of a digest may be used, by what is on record")
    def standing(message: Standing, token: _Reader) -> Decided:
        """With the scope write-evidence a new decision is recorded, without it none is."""
        manifest = None if message.manifest is None else claims.read_manifest(message.manifest)
        if manifest is not None and manifest.digest != message.digest:
            raise UsageError("the manifest is about other bytes than the digest")
        return decided(
            gate.stand(
                message.digest,
                message.action,
                manifest=manifest,
                subject=message.subject,
                actor=claims.actor_of(token, message.says),
                expected=message.expected,
                keep=token.allows(Scope.WRITE_EVIDENCE),
            )
        )

    @router.post("/reviews", summary="Approve or reject, in the name of the token's holder")
    def reviews(message: ReviewMessage, token: _Reviewer, key: _Key) -> Decided:
        def do() -> Decision:
            word = gate.approve if message.verdict is ReviewVerdict.APPROVE else gate.reject
            return word(message.reference, actor=token.holder, reason=message.reason)

        return decided(
            writes.once(
                token,
                "review",
                key,
                message,
                do,
                lambda _: gate.stand_everywhere(message.reference, actor=token.holder),
            )
        )

    @router.post("/waivers", summary="Waive one rule, in the name of the token's holder")
    def waivers(message: WaiverMessage, token: _Reviewer, key: _Key) -> Decided:
        def do() -> Decision:
            return gate.waive(
                message.reference,
                rule=message.rule,
                actor=token.holder,
                reason=message.reason,
                until=message.until,
                days=message.days,
            )

        return decided(
            writes.once(
                token,
                "waiver",
                key,
                message,
                do,
                lambda _: gate.stand_everywhere(message.reference, actor=token.holder),
            )
        )

    @router.post("/signatures", summary="Record a signature over a model, whoever made it")
    def signatures(message: SignatureMessage, token: _Writer, key: _Key) -> Signed:
        """Whether it counts is for the policy to say, whenever somebody wants to use the model."""

        def do() -> Signed:
            _, signature = gate.add_signature(message.digest, message.bundle, actor=token.holder)
            return Signed(signature=signature_to_dict(signature))

        # The same one twice is one, under whatever key.
        return writes.once(token, "signature", key, message, do, lambda _: do())

    @router.post("/checkpoint", summary="The log's size and root, signed, with a proof")
    def checkpoint(message: CheckpointMessage, token: _Reader) -> Note:  # noqa: ARG001
        note, proof = checkpoint_with_proof(gate.ledger, gate.ledger.signing_key(), message.after)
        return Note(note=note, proof=[each.hex() for each in proof])


def _add_questions(router: APIRouter, gate: Gate) -> None:
    ledger = gate.ledger

    @router.get("/account", summary="Whose token it is, and what the console goes by")
    def account(token: _Reader) -> AccountMessage:
        from tidegate.scanners.registry import ruleset_version

        return AccountMessage(
            holder=token.holder,
            scopes=[scope.value for scope in token.scopes],
            expires_at=token.expires_at,
            ruleset=ruleset_version(),
            policy=gate.policy.to_dict(),
        )

    @router.get("/origin", summary="The log's name in its checkpoints")
    def origin(token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=ledger.origin())

    @router.get("/manifest", summary="The manifest of a digest")
    def manifest(digest: Digest, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=ledger.manifest(digest).to_dict())

    @router.get("/policy", summary="The policy of a digest")
    def policy(digest: Digest, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=ledger.policy(digest).to_dict())

    @router.get("/evidence", summary="The evidence of an id")
    def evidence(id: _Reference, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=ledger.evidence(id).to_dict())

    @router.get("/evidence-for", summary="Evidence that saves the token's holder a scan")
    def evidence_for(digest: Digest, ruleset: _Reference, token: _Reader) -> Asked:
        found = ledger.evidence_for(digest, ruleset, claimant=token.holder)
        return Asked(answer=None if found is None else found.to_dict())

    @router.get("/step", summary="The step of an id, and the manifests of what it read")
    def step(id: _Reference, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=step_to_message(ledger.step(id)))

    @router.get("/latest-evidence", summary="The evidence about a digest last decided on")
    def latest_evidence(digest: Digest, token: _Reader) -> Asked:  # noqa: ARG001
        found = ledger.latest_evidence(digest)
        return Asked(answer=None if found is None else found.to_dict())

    @router.get("/decision", summary="The decision of a number")
    def decision(
        id: Annotated[int, Query(ge=0, le=2**63 - 1)],
        token: _Reader,  # noqa: ARG001
    ) -> Asked:
        return Asked(answer=ledger.decision(id).to_dict())

    @router.get("/latest-decision", summary="The newest decision about a digest")
    def latest_decision(
        digest: Digest,
        token: _Reader,  # noqa: ARG001
        action: Action | None = None,
        subject: Annotated[str | None, Query(max_length=4096)] = None,
    ) -> Asked:
        found = ledger.latest_decision(digest, action=action, subject=subject)
        return Asked(answer=None if found is None else found.to_dict())

    @router.get("/waivers", summary="All waivers for a digest, the newest first")
    def waivers(digest: Digest, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=[waiver_to_dict(each) for each in ledger.waivers_for(digest)])

    @router.get("/reviews", summary="All reviews of a digest, the newest first")
    def reviews(digest: Digest, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=[review_to_dict(each) for each in ledger.reviews_for(digest)])

    @router.get("/signatures", summary="All signatures over the files of a digest")
    def signatures(digest: Digest, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=[signature_to_dict(each) for each in ledger.signatures_for(digest)])

    @router.get("/registration", summary="The registration of a version's row")
    def registration(
        name: _Reference,
        version: _Reference,
        created_ms: Annotated[int, Query(ge=0, le=2**63 - 1)],
        token: _Reader,  # noqa: ARG001
        store: Annotated[str, Query(max_length=4096)] = "",
        source: Annotated[str, Query(max_length=4096)] = "",
    ) -> Asked:
        found = ledger.registration_known(store, name, version, created_ms, source)
        return Asked(answer=None if found is None else asdict(found))

    @router.get("/subjects", summary="Every name under which a digest was decided on")
    def subjects(digest: Digest, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=list(ledger.subjects_of(digest)))

    @router.get("/places", summary="Every path at which the ledger's own side found the bytes")
    def places(digest: Digest, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=list(ledger.places_of(digest)))

    @router.get("/passing", summary="The digests that pass")
    def passing(token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=list(ledger.passing()))

    @router.get("/held", summary="What is held or denied, the newest first")
    def held(token: _Reader, limit: Annotated[int, Query(ge=1, le=_MOST_HELD)] = 100) -> Asked:  # noqa: ARG001
        rows = [
            {
                "decision": each.decision.to_dict(),
                "review": None if each.review is None else review_to_dict(each.review),
            }
            for each in ledger.held(limit=limit)
        ]
        return Asked(answer=rows)

    @router.get("/resolve", summary="The digest that a reference stands for")
    def resolve(reference: _Reference, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=ledger.resolve(reference))

    @router.get("/sbom", summary="The newest SBOM of what a reference stands for")
    def sbom(reference: _Reference, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=ledger.sbom_for(reference))

    @router.get("/registrations", summary="All registrations of a digest")
    def registrations(digest: Digest, token: _Reader) -> Asked:  # noqa: ARG001
        return Asked(answer=[asdict(each) for each in ledger.registrations_of(digest)])
