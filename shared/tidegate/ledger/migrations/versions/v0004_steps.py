"""Steps, the edges that they draw between artifacts, and the index of who holds which content.

The index is made here for the manifests that are on record. A manifest that does not read as what
its digest says is left out: an audit names it, and computes the index in the same way.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tidegate.ledger import append_only, content

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = ("tidegate_step", "tidegate_edge", "tidegate_content")


def _text(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def upgrade() -> None:
    """Make the tables, fill the index, and then put up the triggers."""
    op.create_table(
        "tidegate_step",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        *_text("name", "outcome", "body", "created_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("tidegate_step_by_name", "tidegate_step", ["name"], postgresql_using="hash")
    op.create_table(
        "tidegate_edge",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.CheckConstraint("id > 0", name="tidegate_edge_id_counts_up"),
        *_text("source", "target", "role", "name"),
        sqlite_autoincrement=True,
    )
    op.create_index("tidegate_edge_forward", "tidegate_edge", ["source", "target", "role"])
    op.create_index("tidegate_edge_backward", "tidegate_edge", ["target", "source", "role"])
    op.create_index("tidegate_edge_by_name", "tidegate_edge", ["name"], postgresql_using="hash")
    op.create_table(
        "tidegate_content",
        sa.Column("sha256", sa.Text, primary_key=True, nullable=False),
        sa.Column("alone", sa.Integer, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("digest", sa.Text, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("tidegate_content_by_digest", "tidegate_content", ["digest", "alone", "sha256"])
    content.backfill(op.get_bind())
    append_only.install(op.get_bind(), _TABLES)


def downgrade() -> None:
    """Refuse: what went into the ledger stays in it."""
    raise NotImplementedError("the ledger's tables are never dropped by a migration")
