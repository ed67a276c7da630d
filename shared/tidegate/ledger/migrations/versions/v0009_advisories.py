"""Feeds of advisories, beside the records: what they say is replaced by what they say later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None

_PACKAGE = "tidegate_advisory_package"


def _text(*names: str, key: bool = False) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False, primary_key=key) for name in names)


def upgrade() -> None:
    """Make the tables. They have no triggers: they are no part of the append-only records."""
    op.create_table(
        "tidegate_feed",
        *_text("name", key=True),
        *_text("location"),
        sa.Column("etag", sa.Text),
        sa.Column("max_age_days", sa.Integer, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        *_text("newest", "unread", "checked_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tidegate_advisory",
        *_text("feed", "id", key=True),
        *_text("modified", "body"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        _PACKAGE,
        *_text("ecosystem", "name", "feed", "advisory", key=True),
        sqlite_with_rowid=False,
    )
    op.create_index(f"{_PACKAGE}_by_advisory", _PACKAGE, ["feed", "advisory"])


def downgrade() -> None:
    """Refuse: what went into the ledger stays in it."""
    raise NotImplementedError("the ledger's tables are never dropped by a migration")
