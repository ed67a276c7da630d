"""The signed log: statements over the ledger's rows, and the hashes of the Merkle tree over them.

Rows that were there before are covered by the first statements, which the upgrade adds in the same
transaction (`tidegate.ledger.said.adopt`): signing needs a key, and a migration has none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tidegate.ledger import append_only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = ("tidegate_statement", "tidegate_log_node")


def _text(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def upgrade() -> None:
    """Make both tables and their triggers."""
    op.create_table(
        "tidegate_statement",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.CheckConstraint("id > 0", name="tidegate_statement_id_counts_up"),
        *_text("predicate_type", "digest", "envelope", "leaf_hash", "created_at"),
    )
    op.create_index("tidegate_statement_by_digest", "tidegate_statement", ["digest", "id"])
    op.create_table(
        "tidegate_log_node",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        *_text("hash"),
        sqlite_with_rowid=False,
    )
    append_only.install(op.get_bind(), _TABLES)


def downgrade() -> None:
    """Refuse: what went into the ledger stays in it."""
    raise NotImplementedError("the ledger's tables are never dropped by a migration")
