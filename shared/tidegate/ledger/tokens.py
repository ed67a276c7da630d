"""Tokens: who may do what over HTTP, so that a worker needs no password of the database.

    token, secret = add(ledger, holder="ci", scopes=(Scope.WRITE_EVIDENCE,), expires_at=…, …)
    authenticate(ledger, secret, keys=trusted_keys(), now=…)       # -> the token

Always holds: a secret is 256 random bits, shown once, and only its hash is kept; it is compared in
constant time. A token counts only while a signed statement covers its row word for word, so that
nobody who merely can write to the database gives himself one. All are bound to a time, and
revoking is one more record, in force from the next request on.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from tidegate.attestation.envelopes import SignatureError, open_envelope, statement_in
from tidegate.attestation.keys import KeyList
from tidegate.attestation.statements import Subject
from tidegate.errors import AccessRefusedError, RecordNotFoundError, UsageError
from tidegate.ledger import log, schema, writes
from tidegate.ledger.coverage import CoveredRow, cover, read_coverage, row_hash
from tidegate.ledger.ledger import Ledger
from tidegate.ledger.reader import Reader
from tidegate.ledger.records import (
    canonical,
    checked_integer,
    checked_text,
    moment,
    stored_time,
    unaltered,
)

TOKEN = "https://tidegate.dev/attestation/token/v1"  # noqa: S105 - no password
REVOCATION = "https://tidegate.dev/attestation/token-revocation/v1"

_PREFIX = "tdg"
# In records a holder's name stands beside words of others, from which it must be told apart.
_HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_FORM = re.compile(rf"{_PREFIX}_([1-9][0-9]{{0,17}})_([A-Za-z0-9_-]{{43}})", re.ASCII)
_NO_HASH = "0" * 64


class Scope(enum.StrEnum):
    """What the holder of a token may do. Each of the two others may read as well."""

    READ = "read"
    WRITE_EVIDENCE = "write-evidence"
    """Send evidence and steps, which count as claims of the holder."""
    REVIEW = "review"
    """Approve, reject and waive in the holder's name."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret. `holder` is the name that goes into records."""

    id: int
    holder: str
    scopes: tuple[Scope, ...]
    actor: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether the holder may do that."""
        return scope in self.scopes or scope is Scope.READ

    def in_force(self, now: datetime) -> bool:
        """Whether it counts at that time."""
        return self.revoked_at is None and now < self.expires_at


def add(
    ledger: Ledger,
    *,
    holder: str,
    scopes: Sequence[Scope],
    expires_at: datetime,
    actor: str,
    now: datetime,
    connection: Connection | None = None,
) -> tuple[Token, str]:
    """Record a new token; the token, and its secret, which is not to be had again.

    Args:
        ledger: where it counts.
        holder: who uses it: the actor of everything that comes with it.
        scopes: what he may do.
        expires_at: when it ends.
        actor: who gives it.
        now: when.
        connection: with whose transaction it stands or falls, if not with one of its own.

    Raises:
        UsageError: a name that is none, no scope, or an end that is not ahead.
    """
    if not _HOLDER.fullmatch(holder):
        raise UsageError(
            f"{holder!r} can't be the name of a token's holder",
            remedy="use letters, digits and . _ @ + -, at most 100 of them",
        )
    if not scopes:
        raise UsageError(
            "a token without a scope is of no use", remedy=f"give one of {', '.join(Scope)}"
        )
    if expires_at <= now:
        raise UsageError("the token would have expired when it begins")
    secret = secrets.token_urlsafe(32)
    row: dict[str, Any] = {
        "holder": holder,
        "scopes": canonical(sorted({scope.value for scope in scopes})),
        "secret_hash": _hash(secret),
        "actor": checked_text(actor, "actor", required=True),
        "created_at": stored_time(now, "time"),
        "expires_at": stored_time(expires_at, "end of the token"),
    }
    with ledger.transaction(connection) as open_connection:
        row["id"] = writes.insert_numbered(open_connection, schema.token, row)
        predicate = {
            "token": row["id"],
            "holder": holder,
            "scopes": json.loads(row["scopes"]),
            "actor": actor,
            "createdOn": row["created_at"],
            "expiresOn": row["expires_at"],
        }
        _append(ledger, open_connection, row, TOKEN, predicate, cover(schema.token, [row]))
    token = Token(row["id"], holder, tuple(sorted(set(scopes))), actor, now, expires_at)
    return token, f"{_PREFIX}_{token.id}_{secret}"


def revoke(
    ledger: Ledger,
    token_id: int,
    *,
    actor: str,
    now: datetime,
    connection: Connection | None = None,
) -> Token:
    """End a token at once; twice is once.

    Raises:
        RecordNotFoundError: there is no such token.
    """
    with ledger.transaction(connection) as open_connection:
        found = _row(open_connection, token_id)
        if found is None:
            raise RecordNotFoundError(
                f"the ledger has no token {token_id}",
                remedy="look at `tidegate console token list`",
            )
        if _revoked_at(open_connection, token_id) is None:
            row = {
                "token_id": token_id,
                "actor": checked_text(actor, "actor", required=True),
                "created_at": stored_time(now, "time"),
            }
            open_connection.execute(schema.token_revocation.insert().values(row))
            predicate = {"token": token_id, "actor": actor, "createdOn": row["created_at"]}
            rows = cover(schema.token_revocation, [row])
            _append(ledger, open_connection, _plain(found), REVOCATION, predicate, rows)
        return _token(found, _revoked_at(open_connection, token_id))


def tokens(ledger: Reader) -> tuple[Token, ...]:
    """All tokens, ended ones too, in the order in which they were given."""
    with ledger.reading() as connection:
        rows = connection.execute(select(schema.token).order_by(schema.token.c.id)).mappings().all()
        return tuple(_token(row, _revoked_at(connection, row["id"])) for row in rows)


def authenticate(ledger: Reader, text: str, *, keys: KeyList, now: datetime) -> Token:
    """The token of that secret, if it counts.

    Args:
        ledger: where it would be on record.
        text: what was sent.
        keys: whose signature over the token's record counts.
        now: when it must be in force.

    Raises:
        AccessRefusedError: it does not count. The reason tells nothing to whoever has no token.
    """
    match = _FORM.fullmatch(text)
    with ledger.reading() as connection:
        row = _row(connection, int(match[1])) if match else None
        hashed = _hash(match[2] if match else text)
        known = hmac.compare_digest(hashed, row["secret_hash"] if row is not None else _NO_HASH)
        if row is None or not known:
            raise _refused("it is not one of this ledger's")
        token = _token(row, _revoked_at(connection, row["id"]))
        if not _is_signed(connection, row, keys):
            raise AccessRefusedError(
                "the token is refused: no statement by a key that counts covers its record",
                remedy="make tokens as the console's own user, or list the key that signed it in "
                "the file that the console's TIDEGATE_TRUSTED_KEYS names",
            )
    if token.revoked_at is not None:
        raise _refused(f"it was revoked on {token.revoked_at:%Y-%m-%d}")
    if not token.in_force(now):
        raise _refused(f"it ended on {token.expires_at:%Y-%m-%d}")
    return token


def _refused(why: str) -> AccessRefusedError:
    return AccessRefusedError(
        f"the token is refused: {why}",
        remedy="ask whoever runs the ledger for a new one (`tidegate console token add`)",
    )


def _append(
    ledger: Ledger,
    connection: Connection,
    token: Mapping[str, Any],
    kind: str,
    predicate: Mapping[str, Any],
    rows: tuple[CoveredRow, ...],
) -> None:
    subject = Subject(f"token {token['id']}", f"sha256:{row_hash(schema.token, token)}")
    ledger.append([log.Draft((subject,), kind, predicate, rows)], connection=connection)


def _is_signed(connection: Connection, row: RowMapping, keys: KeyList) -> bool:
    """Whether a statement that somebody of the list signed says of a token what its row says."""
    hashed = row_hash(schema.token, _plain(row))
    table = schema.statement
    query = select(table.c.envelope).where(
        table.c.digest == f"sha256:{hashed}", table.c.predicate_type == TOKEN
    )
    wanted = CoveredRow(schema.token.name, row["id"], hashed)
    for (envelope,) in connection.execute(query):
        try:
            # Opened twice: the time at which the key must count is in what it signed.
            data = envelope.encode()
            claimed = read_coverage(statement_in(data).predicate)
            signed = open_envelope(data, keys, at=moment(claimed.at))
        except (SignatureError, ValueError):
            continue
        if signed.statement.predicate_type == TOKEN and wanted in claimed.rows:
            return True
    return False


def _row(connection: Connection, token_id: int) -> RowMapping | None:
    query = select(schema.token).where(schema.token.c.id == checked_integer(token_id, "token"))
    return connection.execute(query).mappings().first()


def _revoked_at(connection: Connection, token_id: int) -> datetime | None:
    table = schema.token_revocation
    query = select(table.c.created_at).where(table.c.token_id == token_id)
    found = connection.execute(query).scalar()
    if found is None:
        return None
    with unaltered(f"revocation of token {token_id}"):
        return moment(found)


def _token(row: RowMapping, revoked_at: datetime | None) -> Token:
    with unaltered(f"token {row['id']}"):
        return Token(
            id=row["id"],
            holder=row["holder"],
            scopes=tuple(Scope(scope) for scope in json.loads(row["scopes"])),
            actor=row["actor"],
            created_at=moment(row["created_at"]),
            expires_at=moment(row["expires_at"]),
            revoked_at=revoked_at,
        )


def _plain(row: RowMapping) -> dict[str, Any]:
    return {column.name: row[column] for column in schema.token.columns}


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
