"""Recalls, and the lifting of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tidegate.ledger import append_only

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_RECALL, _LIFT = "tidegate_recall", "tidegate_recall_lift"
_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id(table: str) -> tuple[sa.Column[int], sa.CheckConstraint]:
    return (
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.CheckConstraint("id > 0", name=f"{table}_id_counts_up"),
    )


def _text(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def upgrade() -> None:
    """Make both tables and their triggers."""
    op.create_table(
        _RECALL,
        *_id(_RECALL),
        *_text("kind", "target", "name", "actor", "reason", "created_at"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        _LIFT,
        *_id(_LIFT),
        sa.Column("recall_id", _BIG_ID, sa.ForeignKey(f"{_RECALL}.id"), nullable=False),
        *_text("actor", "reason", "created_at"),
        sa.UniqueConstraint("recall_id", name="tidegate_recall_lift_once"),
        sqlite_autoincrement=True,
    )
    append_only.install(op.get_bind(), (_RECALL, _LIFT))


def downgrade() -> None:
    """Refuse: what went into the ledger stays in it."""
    raise NotImplementedError("the ledger's tables are never dropped by a migration")
