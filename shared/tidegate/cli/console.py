"""`tidegate console`: the ledger over HTTP, and the tokens with which it is asked."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from tidegate.cli.options import (
    format_option,
    ledger_option,
    open_database,
    open_gate,
    policy_option,
)
from tidegate.cli.output import emit, emit_error

if TYPE_CHECKING:
    from tidegate.ledger import Ledger
    from tidegate.ledger.tokens import Token

_SCOPES = ("read", "write-evidence", "review")
_LENGTH = re.compile(r"([1-9][0-9]{0,4})([hd])", re.ASCII)


@click.group("console")
def command() -> None:
    """The ledger over HTTP, so that workers and reviewers need no database password."""


@command.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8470, show_default=True)
@click.option("--tls-cert", metavar="FILE", help="A certificate chain, for https without a proxy.")
@click.option("--tls-key", metavar="FILE", help="Its private key.")
@click.option(
    "--max-body",
    type=click.IntRange(1, 1024),
    default=16,
    show_default=True,
    metavar="MIB",
    help="The most that may be sent at once.",
)
@policy_option
@ledger_option
def serve(
    host: str,
    port: int,
    *,
    tls_cert: str | None,
    tls_key: str | None,
    max_body: int,
    policy: str | None,
    ledger: str | None,
) -> None:
    """Serve the ledger's HTTP API until interrupted.

    The console has the database, the policy and the signing key; whoever asks has a token. Beyond
    this machine it belongs behind TLS: a proxy's, or --tls-cert and --tls-key.
    """
    try:
        import uvicorn

        from tidegate.console.app import make_app
    except ImportError as error:
        raise click.ClickException(
            f"the console needs {error.name}: in a clone of Tidegate's repository, "
            "pip install '.[console]'"
        ) from error
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("give --tls-cert and --tls-key together")
    with open_gate(ledger, policy, make_ledger=True) as gate:
        application = make_app(gate, max_body=max_body << 20)
        emit_error(
            f"Tidegate's console: policy {gate.policy.profile} ({gate.policy.digest[:19]}…), "
            f"ledger {gate.ledger.url}."
        )
        uvicorn.run(
            application,
            host=host,
            port=port,
            ssl_certfile=tls_cert,
            ssl_keyfile=tls_key,
            # Whom a forwarding header names counts for the patience with refused tokens only where
            # the deployment says whose headers to believe (FORWARDED_ALLOW_IPS).
            server_header=False,
            limit_concurrency=200,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=30,
            log_level="info",
        )


@command.group("token")
def token() -> None:
    """Who may ask the console, and what."""


@token.command("add")
@click.argument("holder", metavar="HOLDER")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(_SCOPES),
    multiple=True,
    required=True,
    help="What it allows; may be repeated. Each of them allows to read as well.",
)
@click.option(
    "--expires",
    required=True,
    metavar="90d|12h|YYYY-MM-DD",
    help="When it ends: after so many days or hours, or at the beginning of that day (UTC).",
)
@ledger_option
def add(holder: str, scopes: tuple[str, ...], expires: str, ledger: str | None) -> None:
    """Make a token for HOLDER, and print it: it is not to be had again.

    HOLDER's name goes into the record of all that comes with the token.
    """
    from tidegate.ledger.tokens import Scope
    from tidegate.ledger.tokens import add as add_token
    from tidegate.settings import read_settings

    now = datetime.now(UTC)
    with _open(ledger, make=True) as opened:
        made, secret = add_token(
            opened,
            holder=holder,
            scopes=[Scope(scope) for scope in scopes],
            expires_at=_end(expires, now),
            actor=read_settings().acting_user(),
            now=now,
        )
    emit_error(
        f"Token {made.id} of {made.holder} ({', '.join(made.scopes)}), until "
        f"{made.expires_at:%Y-%m-%d %H:%M} UTC. Give it to its holder as TIDEGATE_TOKEN:"
    )
    emit(f"{secret}\n")


@token.command("list")
@format_option("text", "json")
@ledger_option
def list_tokens(form: str, ledger: str | None) -> None:
    """All tokens, ended ones too; their secrets are not on record."""
    from tidegate.ledger.tokens import tokens

    now = datetime.now(UTC)
    with _open(ledger) as opened:
        found = tokens(opened)
    if form == "json":
        emit(json.dumps({"schema": 1, "tokens": [_row(each, now) for each in found]}, indent=2))
        emit("\n")
        return
    for each in found:
        emit(
            f"{each.id:<5} {each.holder:<24} {','.join(each.scopes):<28} {_state(each, now)}; "
            f"by {each.actor} on {each.created_at:%Y-%m-%d}\n"
        )
    if not found:
        emit("There is no token yet. `tidegate console token add` makes one.\n")


@token.command("revoke")
@click.argument("number", type=click.IntRange(min=1), metavar="NUMBER")
@ledger_option
def revoke(number: int, ledger: str | None) -> None:
    """End a token, from the next request on."""
    from tidegate.ledger.tokens import revoke as revoke_token
    from tidegate.settings import read_settings

    with _open(ledger) as opened:
        ended = revoke_token(
            opened, number, actor=read_settings().acting_user(), now=datetime.now(UTC)
        )
    emit(f"Token {ended.id} of {ended.holder} is revoked.\n")


def _open(ledger: str | None, *, make: bool = False) -> Ledger:
    return open_database(
        ledger,
        make=make,
        why="tokens are given and revoked beside the ledger's database, not over HTTP",
        remedy="run this where the console runs, with the database's URL in TIDEGATE_LEDGER",
    )


def _end(text: str, now: datetime) -> datetime:
    if match := _LENGTH.fullmatch(text):
        return now + timedelta(hours=int(match[1]) * (24 if match[2] == "d" else 1))
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither a length such as 90d or 12h nor a day"
        ) from None


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return f"revoked on {token.revoked_at:%Y-%m-%d}"
    return f"{'until' if token.in_force(now) else 'ended'} {token.expires_at:%Y-%m-%d %H:%M} UTC"


def _row(token: Token, now: datetime) -> dict[str, object]:
    return {
        "id": token.id,
        "holder": token.holder,
        "scopes": list(token.scopes),
        "actor": token.actor,
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "revoked_at": None if token.revoked_at is None else token.revoked_at.isoformat(),
        "in_force": token.in_force(now),
    }
