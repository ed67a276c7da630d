"""Where the bytes of a digest lie, so that they can be scanned again under newer rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tidegate.ledger import append_only

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLE = "tidegate_place"


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
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("location_hash", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.UniqueConstraint("digest", "location_hash", name="tidegate_place_once"),
        sqlite_autoincrement=True,
    )
    append_only.install(op.get_bind(), (_TABLE,))


def downgrade() -> None:
    """Refuse: what went into the ledger stays in it."""
    raise NotImplementedError("the ledger's tables are never dropped by a migration")
