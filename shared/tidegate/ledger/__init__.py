"""The ledger: what was decided about which bytes, by which rules, and who said otherwise.

    with Ledger.open("sqlite:////var/lib/tidegate/ledger.db") as ledger:
        decision = ledger.record(decision, policy=policy, manifest=manifest, evidence=evidence)
        ledger.held()                        # what waits for a review, newest first
        ledger.resolve("fraud/3")            # what a person types -> the digest it stands for

By default its tables stand beside MLflow's in the registry's database (`Ledger.on_engine`), so
that a version's row and its decision are committed together or not at all.

Always holds:

- Append-only: the database itself refuses to change, replace or delete a row (`append_only`).
- Whatever is recorded is covered by a signed statement of a log, in the same transaction (`said`,
  `coverage`, `log`); `audit` finds what was changed past all that.
- A record is written whole, in one transaction, or not at all.
- A row that does not say what its key promises raises; it is never taken for "no record".
- Whatever keeps the ledger from working leaves as `LedgerUnavailableError`, without credentials.

Importing this package loads SQLAlchemy; Alembic is loaded only where a schema is made.
"""

from tidegate.ledger.address import is_remote
from tidegate.ledger.interface import LedgerReader, StepRecorder
from tidegate.ledger.ledger import Ledger
from tidegate.ledger.opening import open_ledger
from tidegate.ledger.records import Held, RecordedSignature, Registration
from tidegate.ledger.remote import RemoteLedger

__all__ = [
    "Held",
    "Ledger",
    "LedgerReader",
    "RecordedSignature",
    "Registration",
    "RemoteLedger",
    "StepRecorder",
    "is_remote",
    "open_ledger",
]
