"""Signatures over models, in the OpenSSF's form, kept apart from the models that they are over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tidegate.ledger import append_only

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLE = "tidegate_signature"


def upgrade() -> None:
    """Make the table and its triggers."""
    op.create_table(
        _TABLE,
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.CheckConstraint("id > 0", name=f"{_TABLE}_id_counts_up"),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("bundle", sa.Text, nullable=False),
        sa.Column("bundle_hash", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.UniqueConstraint("digest", "bundle_hash", name="tidegate_signature_once"),
        sqlite_autoincrement=True,
    )
    append_only.install(op.get_bind(), (_TABLE,))


def downgrade() -> None:
    """Refuse: what went into the ledger stays in it."""
    raise NotImplementedError("the ledger's tables are never dropped by a migration")
