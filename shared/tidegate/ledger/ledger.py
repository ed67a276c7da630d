"""Opening a ledger. What is written to it stands in `writer`, what it answers in `reader`."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from tidegate.ledger import connect, upgrade
from tidegate.ledger.writer import Writer

if TYPE_CHECKING:
    from tidegate.attestation.keys import SigningKey


class Ledger(Writer):
    """An open ledger. Safe to share between threads; a context manager that closes it.

    Made by `open` or `on_engine`. Every method raises `LedgerUnavailableError` where the database
    fails, and `OperatorError` where a row does not say what its key promises.
    """

    def __init__(self, engine: Engine, *, owned: bool, key: SigningKey | None = None) -> None:
        """Take an engine as it is; `open` and `on_engine` also look at the schema."""
        super().__init__(engine, key=key)
        self._owned = owned
        self.url = connect.hidden(engine.url)
        """Where the ledger is, with the password hidden."""

    @classmethod
    def open(cls, url: str, *, migrate: bool = True, key: SigningKey | None = None) -> Ledger:
        """Open the ledger at a database URL, SQLite or PostgreSQL.

        Args:
            url: an SQLAlchemy URL; "postgresql://" alone takes whichever driver is installed.
            migrate: make or upgrade the schema, and require that the ledger can be written to.
                False opens what is there, for reading too, and makes nothing.
            key: what statements are signed with; by default `TIDEGATE_SIGNING_KEY`, or else the
                user's own key, which is made when it is first needed.

        Raises:
            LedgerUnavailableError: whatever the failure is, with what to do about it.
            OperatorError: the signing key can't be read or made.
        """
        engine = connect.make_engine(connect.parse_url(url), create=migrate)
        ledger = cls(engine, owned=True, key=key)
        try:
            connect.check_reachable(engine)
            ledger._make_ready(migrate)
        except BaseException:
            engine.dispose()
            raise
        return ledger

    @classmethod
    def open_to_audit(cls, url: str) -> Ledger:
        """Open what is there as `open` does without `migrate`, even where its triggers are gone.

        Raises:
            LedgerUnavailableError: there is no ledger, or none of this version's schema.
        """
        engine = connect.make_engine(connect.parse_url(url), create=False)
        try:
            connect.check_reachable(engine)
            upgrade.require_current(engine, writable=False, protected=False)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, owned=True)

    @classmethod
    def on_engine(
        cls, engine: Engine, *, migrate: bool = True, key: SigningKey | None = None
    ) -> Ledger:
        """A ledger in a database that somebody else has open, such as MLflow's registry.

        The engine stays its owner's: nothing is set on it, and `close` leaves it open. On SQLite
        a connection that a transaction of our own borrows gets the two settings that MLflow's
        store gives it too: foreign keys are checked, and a lock is waited for.
        """
        connect.require_supported(engine.dialect.name)
        ledger = cls(engine, owned=False, key=key)
        ledger._make_ready(migrate)
        return ledger

    def _make_ready(self, migrate: bool) -> None:
        if migrate:
            self.upgrade()
        upgrade.require_current(self._engine, writable=migrate)
        if migrate:
            # Better found out now than at the first record.
            self.signing_key()

    def upgrade(self) -> None:
        """Bring the schema to this version's; several processes may do so at once."""
        upgrade.upgrade(self._engine, own_file=self._owned, key=self.signing_key)

    def close(self) -> None:
        """Close the connections that are this ledger's own."""
        if self._owned:
            self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def checkpoint(self, *, after: str | None = None) -> str:
        """The log's size and root, signed: a note to keep where the ledger's owner can't write.

        Args:
            after: the note that this one is to take the place of; a log that is not its
                continuation gets no new one, which would hide that.

        Raises:
            TamperedError: the log is not the continuation of `after`.
            UsageError: nothing is on record yet, or the signing key is not ed25519.
        """
        from tidegate.ledger.bundle import checkpoint

        return checkpoint(self, self.signing_key(), after)
