"""The first schema: eight tables, their indexes, and the triggers that keep them append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tidegate.ledger import append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "tidegate_artifact",
    "tidegate_evidence",
    "tidegate_policy",
    "tidegate_decision",
    "tidegate_review",
    "tidegate_waiver",
    "tidegate_sbom",
    "tidegate_registration",
)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id(table: str) -> tuple[sa.Column[int], sa.CheckConstraint]:
    return (
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.CheckConstraint("id > 0", name=f"{table}_id_counts_up"),
    )


def _text(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def upgrade() -> None:
    """Make everything."""
    _content_tables()
    _decision_table()
    _people_tables()
    _sbom_and_registration_tables()
    append_only.install(op.get_bind(), _TABLES)


def downgrade() -> None:
    """Refuse: what went into the ledger stays in it."""
    raise NotImplementedError("the ledger's tables are never dropped by a migration")


def _content_tables() -> None:
    """Rows whose key is a hash of what they hold."""
    op.create_table(
        "tidegate_artifact",
        sa.Column("digest", sa.Text, primary_key=True, nullable=False),
        *_text("manifest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tidegate_evidence",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("digest", sa.Text, sa.ForeignKey("tidegate_artifact.digest"), nullable=False),
        *_text("ruleset", "verdict", "body", "created_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("tidegate_evidence_by_digest", "tidegate_evidence", ["digest", "ruleset"])
    op.create_table(
        "tidegate_policy",
        sa.Column("digest", sa.Text, primary_key=True, nullable=False),
        *_text("body"),
        sqlite_with_rowid=False,
    )


def _decision_table() -> None:
    op.create_table(
        "tidegate_decision",
        *_id("tidegate_decision"),
        *_text("digest", "action", "subject", "outcome"),
        sa.Column("enforced", sa.Boolean, nullable=False),
        sa.Column("evidence_id", sa.Text, sa.ForeignKey("tidegate_evidence.id")),
        sa.Column(
            "policy_digest", sa.Text, sa.ForeignKey("tidegate_policy.digest"), nullable=False
        ),
        *_text("body"),
        sa.Column("actor", sa.Text),
        *_text("created_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("tidegate_decision_by_digest", "tidegate_decision", ["digest", "id"])
    op.create_index(
        "tidegate_decision_by_subject", "tidegate_decision", ["subject"], postgresql_using="hash"
    )
    op.create_index("tidegate_decision_by_evidence", "tidegate_decision", ["evidence_id"])


def _people_tables() -> None:
    """What people said: reviews and waivers."""
    op.create_table(
        "tidegate_review",
        *_id("tidegate_review"),
        *_text("digest", "verdict", "fingerprints", "actor", "reason"),
        sa.Column("evidence_id", sa.Text, sa.ForeignKey("tidegate_evidence.id")),
        *_text("created_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("tidegate_review_by_digest", "tidegate_review", ["digest", "id"])
    op.create_table(
        "tidegate_waiver",
        *_id("tidegate_waiver"),
        *_text("digest", "rule", "fingerprints", "actor", "reason", "created_at", "expires_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("tidegate_waiver_by_digest", "tidegate_waiver", ["digest", "id"])


def _sbom_and_registration_tables() -> None:
    op.create_table(
        "tidegate_sbom",
        *_id("tidegate_sbom"),
        *_text("digest", "subject", "body", "created_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("tidegate_sbom_by_digest", "tidegate_sbom", ["digest", "id"])
    op.create_index(
        "tidegate_sbom_by_subject", "tidegate_sbom", ["subject"], postgresql_using="hash"
    )
    op.create_table(
        "tidegate_registration",
        *_id("tidegate_registration"),
        *_text("store", "name", "version"),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        *_text("source"),
        sa.Column("digest", sa.Text),
        sa.Column("decision_id", _ID, sa.ForeignKey("tidegate_decision.id")),
        sa.UniqueConstraint(
            "store", "name", "version", "created_ms", name="tidegate_registration_once"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("tidegate_registration_by_digest", "tidegate_registration", ["digest"])
    op.create_index("tidegate_registration_by_name", "tidegate_registration", ["name", "version"])
