"""A ledger behind a console's address: the same questions over HTTP, and no database password.

    with RemoteLedger.open("https://console.example.com") as ledger:     # TIDEGATE_TOKEN
        ledger.held()

What a ledger in a database answers, this one asks the console for. It decides nothing and signs
nothing: evidence goes to the console, which decides by its own policy and signs with its own key
(`settle`, `stand`), and so do a reviewer's words. Who acts is whose token it is.

Always holds: an answer is held against what was asked for before anybody sees it, so that a mixed-
up one is an error and never a pass; each write goes under an idempotency key, and sent again it is
recorded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from tidegate.artifact.manifest import Manifest
from tidegate.errors import AccessRefusedError, OperatorError, TamperedError, UsageError
from tidegate.ledger.address import TOKEN, token_from_environment
from tidegate.ledger.ledger import Ledger
from tidegate.ledger.records import (
    Held,
    RecordedSignature,
    Registration,
    bundle_hash,
    policy_from_dict,
)
from tidegate.ledger.wire import (
    each_of,
    evidence_message,
    held_from_dict,
    new_key,
    optional,
    registration_from_dict,
    review_from_dict,
    signature_from_dict,
    waiver_from_dict,
)
from tidegate.policy.model import Action, Decision, Policy, Review, ReviewVerdict, Waiver
from tidegate.scanners.evidence import Evidence

if TYPE_CHECKING:
    from tidegate.attestation.step import Step
    from tidegate.ledger.transport import Transport

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Account:
    """Who the console takes us for, and what it goes by."""

    holder: str
    scopes: tuple[str, ...]
    expires_at: datetime
    ruleset: str
    policy: Policy


class RemoteLedger:
    """An open remote ledger. Safe to share between threads; a context manager that closes it."""

    def __init__(self, transport: Transport) -> None:
        """Ask through a transport as it is; `open` also asks who we are."""
        self._transport = transport
        self._account: Account | None = None
        self.url = transport.address
        """Where the console is."""

    @classmethod
    def open(
        cls, address: str, *, token: str | None = None, patience: float | None = None
    ) -> RemoteLedger:
        """Open the ledger of the console at an address.

        Args:
            address: `https://…`, or `http://` to this machine.
            token: by default `TIDEGATE_TOKEN`, or what is in the file `TIDEGATE_TOKEN_FILE`.
            patience: seconds for each question, with all its tries; by default
                `TIDEGATE_LEDGER_SECONDS`, or else 45.

        Raises:
            UsageError: an address that can't be used.
            AccessRefusedError: no token, or one that does not count.
            LedgerUnavailableError: nobody answers.
        """
        from tidegate.ledger.transport import Transport

        token = token or token_from_environment()
        transport = Transport(address, token, patience=patience)
        if token is None:
            raise AccessRefusedError(
                f"the ledger at {transport.address} wants a token",
                remedy=f"put one into {TOKEN}; whoever runs the console makes it with "
                "`tidegate console token add`",
            )
        ledger = cls(transport)
        ledger.account()
        return ledger

    def __enter__(self) -> RemoteLedger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and hasattr(Ledger, name):
            raise UsageError(
                "that needs the ledger's database, and this is a console's address",
                remedy="run this where the database is, with its URL in TIDEGATE_LEDGER",
            )
        raise AttributeError(name)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def account(self) -> Account:
        """Who the console takes us for; asked once."""
        if self._account is None:
            found = self._transport.get("/v1/account")
            with self._readable():
                self._account = Account(
                    holder=str(found["holder"]),
                    scopes=tuple(str(scope) for scope in found["scopes"]),
                    expires_at=datetime.fromisoformat(found["expires_at"]),
                    ruleset=str(found["ruleset"]),
                    policy=policy_from_dict(found["policy"]),
                )
        return self._account

    # What is sent

    def settle(
        self,
        manifest: Manifest,
        evidence: Evidence,
        *,
        action: Action,
        subject: str,
        says: str | None = None,
        key: str | None = None,
    ) -> Decision:
        """Send evidence; the decision of the console on it.

        Args:
            manifest: of the bytes.
            evidence: what a scan here found in them.
            action: what is about to be done.
            subject: what the artifact is called.
            says: who asks, by our own word, beside whose token it is.
            key: the idempotency key; a new one by default.

        Raises:
            UsageError: the console does not take it, with the reason.
            LedgerUnavailableError: no answer came; it may be recorded, or not.
        """
        body = evidence_message(manifest, evidence, action=action, subject=subject, says=says)
        return self.send_evidence(body, key=key or new_key())

    def send_evidence(self, body: Mapping[str, Any], *, key: str) -> Decision:
        """The same with the message as `evidence_message` made it."""
        found = self._transport.post("/v1/evidence", body, key=key)
        return self._decision(found, digest=body["manifest"]["digest"], action=body["action"])

    def stand(
        self,
        digest: str,
        action: Action,
        *,
        manifest: Manifest | None = None,
        subject: str = "",
        says: str | None = None,
        expected: str | None = None,
    ) -> Decision:
        """What the console decides about bytes of that digest by the evidence on its record."""
        body = {
            "digest": digest,
            "action": action.value,
            "manifest": None if manifest is None else manifest.to_dict(),
            "subject": subject,
            "says": says,
            "expected": expected,
        }
        found = self._transport.post("/v1/standing", body, key=None)
        return self._decision(found, digest=digest, action=action.value)

    def record_step(self, step: Step) -> bool:
        """Send a step, which is recorded as the word of the token's holder; whether it is new.

        Its own id is the idempotency key.
        """
        from tidegate.ledger.step_message import step_to_message

        found = self._transport.post("/v1/steps", step_to_message(step), key=step.id)
        with self._readable():
            self._require(found["step"] == step.id)
            return bool(found["new"])

    def add_signature(
        self,
        *,
        digest: str,
        bundle: str,
        actor: str,  # noqa: ARG002 - who acts is whose token it is
        now: datetime,  # noqa: ARG002 - the console's clock counts
    ) -> RecordedSignature:
        """Send a signature over a model; it is recorded in the name of the token's holder.

        Its content is the idempotency key.

        Raises:
            RecordNotFoundError: the model's files are not on record.
            UsageError, OperatorError: it is no signature over exactly those files.
        """
        body = {"digest": digest, "bundle": bundle}
        found = self._transport.post("/v1/signatures", body, key=f"{digest}:{bundle_hash(bundle)}")
        with self._readable():
            signature = signature_from_dict(found["signature"])
            self._require((signature.digest, signature.bundle) == (digest, bundle))
        return signature

    def review(self, reference: str, verdict: ReviewVerdict, *, reason: str) -> Decision:
        """Approve or reject in the name of the token's holder; how it stands afterwards."""
        body = {"reference": reference, "verdict": verdict.value, "reason": reason}
        found = self._transport.post("/v1/reviews", body, key=new_key())
        return self._decision(found)

    def waive(
        self,
        reference: str,
        *,
        rule: str,
        reason: str,
        until: datetime | None = None,
        days: int | None = None,
    ) -> Decision:
        """Waive in the name of the token's holder; how it stands afterwards."""
        body = {
            "reference": reference,
            "rule": rule,
            "reason": reason,
            "until": None if until is None else until.isoformat(),
            "days": days,
        }
        return self._decision(self._transport.post("/v1/waivers", body, key=new_key()))

    # What is asked

    def origin(self) -> str | None:
        """The log's name in its checkpoints; None before the first statement."""
        return self._ask("/v1/origin", lambda found: None if found is None else str(found))

    def checkpoint(self, *, after: str | None = None) -> str:
        """As `Ledger.checkpoint`; that it continues `after` is checked here, by the log's proof."""
        from tidegate.ledger.bundle import require_continuation

        found = self._transport.post("/v1/checkpoint", {"after": after}, key=None)
        with self._readable():
            note, proof = str(found["note"]), tuple(bytes.fromhex(each) for each in found["proof"])
        if after is not None:
            require_continuation(after, note, proof)
        return note

    def manifest(self, digest: str) -> Manifest:
        """The manifest of a digest; RecordNotFoundError where there is none."""
        manifest = self._ask("/v1/manifest", Manifest.from_dict, digest=digest)
        self._require(manifest.digest == digest)
        return manifest

    def policy(self, digest: str) -> Policy:
        """The policy of a digest; RecordNotFoundError where there is none."""
        policy = self._ask("/v1/policy", policy_from_dict, digest=digest)
        self._require(policy.digest == digest)
        return policy

    def evidence(self, evidence_id: str) -> Evidence:
        """The evidence of an id; RecordNotFoundError where there is none."""
        evidence = self._ask("/v1/evidence", Evidence.from_dict, id=evidence_id)
        self._require(evidence.id == evidence_id)
        return evidence

    def evidence_for(
        self,
        digest: str,
        ruleset: str,
        *,
        claimant: str | None = None,  # noqa: ARG002 - a token's holder claims under one name
    ) -> Evidence | None:
        """Evidence of the ledger's own side, or that was sent with this token's name."""
        found = self._ask(
            "/v1/evidence-for", optional(Evidence.from_dict), digest=digest, ruleset=ruleset
        )
        self._require(found is None or (found.digest, found.ruleset) == (digest, ruleset))
        return found

    def step(self, step_id: str) -> Step:
        """The step of an id, with the manifests of what it read; RecordNotFoundError if none."""
        from tidegate.ledger.step_message import step_from_message

        step = self._ask("/v1/step", step_from_message, id=step_id)
        self._require(step.id == step_id)
        return step

    def latest_evidence(self, digest: str) -> Evidence | None:
        """The evidence about a digest that was last decided on, if any."""
        found = self._ask("/v1/latest-evidence", optional(Evidence.from_dict), digest=digest)
        self._require(found is None or found.digest == digest)
        return found

    def decision(self, decision_id: int) -> Decision:
        """The decision of a number; RecordNotFoundError where there is none."""
        decision = self._ask("/v1/decision", Decision.from_dict, id=decision_id)
        self._require(decision.id == decision_id)
        return decision

    def latest_decision(
        self, digest: str, *, action: Action | None = None, subject: str | None = None
    ) -> Decision | None:
        """The newest decision about a digest, of that action and about that subject if named."""
        found = self._ask(
            "/v1/latest-decision",
            optional(Decision.from_dict),
            digest=digest,
            action=None if action is None else action.value,
            subject=subject,
        )
        self._require(found is None or found.digest == digest)
        return found

    def waivers_for(self, digest: str) -> tuple[Waiver, ...]:
        """All waivers for a digest, expired ones too, the newest first."""
        return self._ask("/v1/waivers", each_of(waiver_from_dict), digest=digest)

    def reviews_for(self, digest: str) -> tuple[Review, ...]:
        """All reviews of a digest, the newest first."""
        return self._ask("/v1/reviews", each_of(review_from_dict), digest=digest)

    def signatures_for(self, digest: str) -> tuple[RecordedSignature, ...]:
        """All signatures over the files of a digest, the newest first, whoever made them."""
        found = self._ask("/v1/signatures", each_of(signature_from_dict), digest=digest)
        self._require(all(each.digest == digest for each in found))
        return found

    def subjects_of(self, digest: str) -> tuple[str, ...]:
        """Every name under which a digest was decided on, the one last used first."""
        return self._ask("/v1/subjects", each_of(str), digest=digest)

    def places_of(self, digest: str) -> tuple[str, ...]:
        """Every path at which the ledger's own side found the bytes."""
        return self._ask("/v1/places", each_of(str), digest=digest)

    def passing(self) -> tuple[str, ...]:
        """The digests that pass by the newest decision about them and one of their subjects."""
        return self._ask("/v1/passing", each_of(str))

    def held(self, *, limit: int = 100) -> tuple[Held, ...]:
        """What is not allowed by the newest decision about it and its subject, newest first."""
        return self._ask("/v1/held", each_of(held_from_dict), limit=limit)

    def resolve(self, reference: str) -> str:
        """The digest that a person means: see `references` for what may be given."""
        return self._ask("/v1/resolve", str, reference=reference)

    def sbom_for(self, reference: str) -> str:
        """The newest SBOM of what a reference stands for; RecordNotFoundError where none is."""
        return self._ask("/v1/sbom", str, reference=reference)

    def registrations_of(self, digest: str) -> tuple[Registration, ...]:
        """All registrations of a digest, the newest first."""
        return self._ask("/v1/registrations", each_of(registration_from_dict), digest=digest)

    def registration_known(
        self, store: str, name: str, version: str, created_ms: int, source: str
    ) -> Registration | None:
        """The registration of a version's row: under the name that it has, or had when made."""
        found = self._ask(
            "/v1/registration",
            optional(registration_from_dict),
            store=store,
            name=name,
            version=version,
            created_ms=created_ms,
            source=source,
        )
        asked = (store, version, created_ms)
        self._require(found is None or (found.store, found.version, found.created_ms) == asked)
        return found

    def _ask(self, path: str, read: Callable[[Any], _T], **parameters: Any) -> _T:
        found = self._transport.get(path, parameters)
        with self._readable():
            return read(found["answer"])

    def _decision(
        self, found: Any, *, digest: str | None = None, action: str | None = None
    ) -> Decision:
        with self._readable():
            decision = Decision.from_dict(found["decision"])
            self._require(digest in {None, decision.digest})
            self._require(action in {None, decision.action.value})
        return decision

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise OperatorError(
                f"an answer of {self.url} can't be read: {error!r}"[:500],
                remedy="run the same version of Tidegate here and at the console",
            ) from error

    def _require(self, agrees: bool) -> None:
        if not agrees:
            raise TamperedError(
                f"{self.url} answered with the record of something else than was asked for",
                remedy="find out what stands between this machine and the console",
            )
