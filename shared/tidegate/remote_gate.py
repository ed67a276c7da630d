"""The gate where the ledger is a console's: bytes are read here, decisions are made there.

    with Gate.open(ledger="https://console.example.com") as gate:       # is one of these
        decision = gate.check("model/", Action.REGISTER, subject="fraud")

Hashing and scanning go on where the bytes are; what came of it is sent, and the console decides by
its own policy, from its own record, in the name of the token's holder.

Always holds: no decision is made here, neither from what is at hand nor from what could not be
sent. Evidence that the console did not answer for is kept in the spool, and the caller gets the
error: held.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, cast

from tidegate.artifact import Manifest
from tidegate.errors import LedgerUnavailableError, UsageError
from tidegate.gate import Gate
from tidegate.ledger import Ledger, RemoteLedger
from tidegate.ledger.wire import evidence_message, new_key
from tidegate.policy import Action, Decision, Policy, ReviewVerdict
from tidegate.policy.lineage import NO_LINEAGE, Lineage
from tidegate.scanners.engine import ScanEngine
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.registry import ruleset_version

if TYPE_CHECKING:
    from sqlalchemy import Connection


class RemoteGate(Gate):
    """A gate to a console. See `Gate` for what each method means and raises.

    Args:
        ledger: the console's ledger.
        expected_policy: what the caller takes for the policy; any other at the console is an error.
        engine: what scans here.
    """

    def __init__(
        self,
        ledger: RemoteLedger,
        *,
        expected_policy: Policy | None = None,
        engine: ScanEngine | None = None,
    ) -> None:
        self.remote = ledger
        account = ledger.account()
        if expected_policy is not None and expected_policy.digest != account.policy.digest:
            raise UsageError(
                f"{ledger.url} decides by its own policy, {account.policy.profile!r} "
                f"({account.policy.digest[:19]}…), and the one that is set here is another",
                remedy="leave TIDEGATE_POLICY and --policy away, or set the console's policy",
            )
        # Of a ledger, `Gate` puts questions to it that `RemoteLedger` answers as well
        # (`LedgerReader`); whatever in it writes to one is overridden below.
        super().__init__(account.policy, cast("Ledger", ledger), engine=engine)

    def gather(self, path: str | os.PathLike[str]) -> tuple[Manifest, Evidence]:
        """As `Gate.gather`; refused at once where the console would not take what comes of it."""
        here, there = ruleset_version(), self.remote.account().ruleset
        if here != there:
            raise UsageError(
                f"scans here go by the rules {here}, and {self.remote.url} by {there}: it would "
                "not take their evidence",
                remedy="run the same version of Tidegate here and at the console",
            )
        return super().gather(path)

    def settle(
        self,
        action: Action,
        manifest: Manifest,
        evidence: Evidence | None,
        *,
        subject: str = "",
        actor: str | None = None,
        place: str | None = None,  # noqa: ARG002 - a path here says nothing to the console
        connection: Connection | None = None,
    ) -> Decision:
        """Send evidence, and give back what the console decided; kept in the spool without one."""
        if connection is not None:
            raise UsageError("a console records in transactions of its own")
        if evidence is None:
            return self.remote.stand(
                manifest.digest, action, manifest=manifest, subject=subject, says=actor
            )
        body = evidence_message(manifest, evidence, action=action, subject=subject, says=actor)
        key = new_key()
        try:
            return self.remote.send_evidence(body, key=key)
        except LedgerUnavailableError as error:
            from tidegate.ledger.spool import Spool

            Spool.open().keep("evidence", body, ledger=self.remote.url, key=key)
            raise LedgerUnavailableError(
                f"{error.message}; nothing was decided, and the evidence waits in the spool",
                remedy="when the console is back: `tidegate ledger spool flush`, and ask again",
            ) from error

    def approve(
        self,
        reference: str,
        *,
        actor: str,  # noqa: ARG002 - who acts is whose token it is
        reason: str,
    ) -> Decision:
        """Approve in the name of the token's holder."""
        return self.remote.review(reference, ReviewVerdict.APPROVE, reason=reason)

    def reject(
        self,
        reference: str,
        *,
        actor: str,  # noqa: ARG002 - who acts is whose token it is
        reason: str,
    ) -> Decision:
        """Reject in the name of the token's holder."""
        return self.remote.review(reference, ReviewVerdict.REJECT, reason=reason)

    def waive(
        self,
        reference: str,
        *,
        rule: str,
        actor: str,  # noqa: ARG002 - who acts is whose token it is
        reason: str,
        until: datetime | None = None,
        days: int | None = None,
    ) -> Decision:
        """Waive in the name of the token's holder."""
        return self.remote.waive(reference, rule=rule, reason=reason, until=until, days=days)

    def _stand(
        self,
        digest: str,
        manifest: Manifest | None,
        action: Action,
        subject: str,
        actor: str | None,
        expected: str | None = None,
        *,
        keep: bool = True,  # noqa: ARG002 - the console keeps what the token may have it keep
    ) -> Decision:
        return self.remote.stand(
            digest, action, manifest=manifest, subject=subject, says=actor, expected=expected
        )

    def lineage_of(
        self,
        digest: str,
        action: Action | None = None,
    ) -> Lineage:
        """As the console saw it when it last decided on the digest."""
        last = self.remote.latest_decision(digest, action=action)
        return last.lineage if last is not None else NO_LINEAGE

    def _subject_of(self, digest: str) -> str:  # noqa: ARG002 - the console knows, and fills it in
        return ""
