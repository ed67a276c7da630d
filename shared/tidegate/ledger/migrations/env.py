"""Alembic's entry: runs the steps inside the transaction of the connection that was handed in.

There is no alembic.ini and no URL here: `tidegate.ledger.upgrade` has the connection, the lock and
the commit. The version table is our own, so that MLflow's stands untouched in the same database.
"""

from __future__ import annotations

from alembic import context

from tidegate.ledger.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
