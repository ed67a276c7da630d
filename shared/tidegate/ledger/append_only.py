"""What makes the database itself refuse to change the past, and the check that it still does.

On SQLite each table has three triggers: before UPDATE, before DELETE, and before an INSERT whose
key exists already, since `INSERT OR REPLACE` deletes the old row without asking the second. A
row that is inserted again as it stands is left out in silence: that is how two processes may
record the same evidence at once. On PostgreSQL one trigger for each table refuses UPDATE, DELETE
and TRUNCATE, and is always enabled, so that a session in replica mode does not slip past it.

Whoever may change the schema can drop a trigger. `weakened` tells of it when a ledger is opened:
it compares what stands in the database with the text that this file would put there. A later
migration that touches these triggers therefore makes them anew from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, text

from tidegate.ledger.schema import KEYS, metadata

_REFUSAL = "the ledger is append-only"
_FUNCTION = "tidegate_refuse_change"
_TRIGGER = "tidegate_append_only"
_FUNCTION_BODY = f"""
BEGIN
    RAISE EXCEPTION '{_REFUSAL}: % of % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
"""
# BEFORE, of one statement, for UPDATE, DELETE and TRUNCATE: the bits of pg_trigger.tgtype.
_TRIGGER_TYPE = 2 | 16 | 8 | 32


def install(connection: Connection, tables: Sequence[str]) -> None:
    """Make the function, and the triggers for these tables, which must exist."""
    if connection.dialect.name == "sqlite":
        for statement in sqlite_triggers(tables).values():
            connection.exec_driver_sql(statement)
        return
    for statement in postgresql_statements(tables):
        connection.execute(text(statement))


def sqlite_triggers(tables: Iterable[str]) -> dict[str, str]:
    """The statement of each trigger by its name, as SQLite keeps it word for word."""
    triggers = {}
    for table in tables:
        for event in ("UPDATE", "DELETE"):
            name = f"{table}_no_{event.lower()}"
            triggers[name] = (
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}: {event} of {table} refused'); END"
            )
        name = f"{table}_no_replace"
        triggers[name] = (
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} BEGIN "  # noqa: S608 - names of ours
            f"SELECT RAISE(IGNORE) WHERE EXISTS "
            f"(SELECT 1 FROM {table} WHERE {_same_row(table)}); "
            f"SELECT RAISE(ABORT, '{_REFUSAL}: the row of {table} exists') WHERE EXISTS "
            f"(SELECT 1 FROM {table} WHERE {_same_key(table)}); END"
        )
    return triggers


def _same_key(table: str) -> str:
    return " OR ".join(
        "(" + " AND ".join(f"{column} = NEW.{column}" for column in key) + ")"
        for key in KEYS[table]
    )


def _same_row(table: str) -> str:
    # The time of recording is no part of what a row says, nor is a number beside a real key.
    aside = {"created_at"} if len(KEYS[table]) == 1 else {"created_at", "id"}
    return " AND ".join(
        f"{column.name} IS NEW.{column.name}"
        for column in metadata.tables[table].columns
        if column.name not in aside
    )


def postgresql_statements(tables: Sequence[str]) -> list[str]:
    """The statements that make the function and triggers, for the connection's schema."""
    function = (
        f"CREATE OR REPLACE FUNCTION {_FUNCTION}() RETURNS trigger LANGUAGE plpgsql "
        f"AS $tidegate${_FUNCTION_BODY}$tidegate$"
    )
    triggers = [
        f"CREATE TRIGGER {_TRIGGER} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {_FUNCTION}()"
        for table in tables
    ]
    always = [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {_TRIGGER}" for table in tables]
    return [function, *triggers, *always]


def weakened(connection: Connection) -> tuple[str, ...]:
    """The tables that the database would no longer protect; empty where all is as it should be."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        )
        standing = {row.name: row.sql for row in rows}
        expected = sqlite_triggers(KEYS)
        return tuple(
            table
            for table in KEYS
            if any(
                standing.get(name) != expected[name]
                for name in (f"{table}_no_update", f"{table}_no_delete", f"{table}_no_replace")
            )
        )
    found = connection.execute(
        text(
            "SELECT c.relname, t.tgenabled::text, t.tgtype, t.tgqual IS NULL, p.prosrc "
            "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE t.tgname = :trigger AND pg_table_is_visible(c.oid)"
        ),
        {"trigger": _TRIGGER},
    )
    intact = {
        table
        for table, enabled, kind, unconditional, body in found
        if enabled == "A" and kind == _TRIGGER_TYPE and unconditional and body == _FUNCTION_BODY
    }
    return tuple(table for table in KEYS if table not in intact)
