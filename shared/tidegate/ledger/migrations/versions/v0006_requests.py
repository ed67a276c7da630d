"""Tokens of those who write over HTTP, and the requests that came under a key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tidegate.ledger import append_only

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("tidegate_token", "tidegate_token_revocation", "tidegate_request")


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def upgrade() -> None:
    """Make the three tables and their triggers."""
    op.create_table(
        "tidegate_token",
        sa.Column("id", _number(), primary_key=True, autoincrement=True),
        sa.CheckConstraint("id > 0", name="tidegate_token_id_counts_up"),
        *_text("holder", "scopes", "secret_hash", "actor", "created_at", "expires_at"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tidegate_token_revocation",
        sa.Column(
            "token_id",
            _number(),
            sa.ForeignKey("tidegate_token.id"),
            primary_key=True,
            autoincrement=False,
        ),
        *_text("actor", "created_at"),
    )
    op.create_table(
        "tidegate_request",
        sa.Column("key", sa.Text, primary_key=True),
        *_text("operation", "content_hash", "records"),
        sa.Column("token_id", _number(), sa.ForeignKey("tidegate_token.id")),
        *_text("actor", "created_at"),
        sqlite_with_rowid=False,
    )
    append_only.install(op.get_bind(), _TABLES)


def downgrade() -> None:
    """Refuse: what went into the ledger stays in it."""
    raise NotImplementedError("the ledger's tables are never dropped by a migration")
