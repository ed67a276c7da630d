"""From an Airflow connection to a Gate: where the ledger is, and which policy holds.

A connection of type `tidegate` has the ledger's URL in `host` (user and password in their own
fields, so that Airflow encrypts and masks them) and, in its extra, a `policy`. Or it has the
address of a console that keeps the ledger, and as the password the token for it. The default
connection may be left out: then the `TIDEGATE_*` environment of the worker says both.

Always holds:

- A connection that says nothing of the ledger, or is not there, is never made up for by a
  private default. To Airflow a secrets backend that is down looks the same as a connection that
  was never defined, so only an explicit `TIDEGATE_LEDGER` may stand in for it, and only for the
  default connection.
- The connection's policy is its administrator's word: a task can't name another one.
- What is not understood in a connection is refused, for a misspelt key must not loosen a rule.
- No password is ever part of a message, and Airflow's masker knows each one.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.errors import LedgerUnavailableError, TidegateError, UsageError
from tidegate_airflow.compat import AirflowNotFoundException, BaseHook, mask_secret

if TYPE_CHECKING:
    from tidegate.gate import Gate

DEFAULT_CONN_ID = "tidegate_default"
_LEDGER_VARIABLE = "TIDEGATE_LEDGER"
_EXTRA_KEYS = frozenset({"policy"})


@dataclass(frozen=True, slots=True)
class GateSettings:
    """What a Gate is opened with. None leaves it to the `TIDEGATE_*` environment."""

    # Never shown: it may hold a password.
    ledger: str | None = field(default=None, repr=False)
    policy: str | None = None
    token: str | None = field(default=None, repr=False)
    """For a console's address."""


class TidegateHook(BaseHook):
    """Opens the Gate that a connection describes.

    Args:
        tidegate_conn_id: the connection. The default one may be missing where `TIDEGATE_LEDGER`
            is set; any other must exist.
        policy: a policy file or profile for this use, where the connection names none.
    """

    conn_name_attr = "tidegate_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "tidegate"
    hook_name = "Tidegate"

    def __init__(
        self, tidegate_conn_id: str = DEFAULT_CONN_ID, policy: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.tidegate_conn_id = tidegate_conn_id
        self.policy = policy

    def get_conn(self) -> Gate:
        """A Gate, open; whoever asked for it closes it (it is a context manager).

        Raises:
            UsageError: the connection or the policy can't be used as it is.
            OperatorError: the ledger is not configured or out of reach.
            AirflowNotFoundException: a connection other than the default one is missing.
        """
        from tidegate.gate import Gate

        settings = self.settings()
        if settings.ledger is not None and settings.token is not None:
            from tidegate.ledger import RemoteLedger

            console = RemoteLedger.open(settings.ledger, token=settings.token)
            return Gate.open(policy=settings.policy, ledger=console)
        return Gate.open(policy=settings.policy, ledger=settings.ledger)

    def test_connection(self) -> tuple[bool, str]:
        """Open the Gate and say whether that worked, for the button in Airflow's form."""
        try:
            with self.get_conn() as gate:
                return True, f"the ledger answers; policy profile {gate.policy.profile!r}"
        except TidegateError as error:
            return False, error.explain()

    def settings(self) -> GateSettings:
        """What the connection, or for want of one the environment, says.

        Raises:
            UsageError, OperatorError, AirflowNotFoundException: see `get_conn`.
        """
        try:
            connection = self.get_connection(self.tidegate_conn_id)
        except AirflowNotFoundException:
            if self.tidegate_conn_id != DEFAULT_CONN_ID or not os.environ.get(_LEDGER_VARIABLE):
                if self.tidegate_conn_id != DEFAULT_CONN_ID:
                    raise
                raise _no_ledger(f"there is no connection {DEFAULT_CONN_ID!r}") from None
            self.log.info("no connection %r: the environment says", DEFAULT_CONN_ID)
            return GateSettings(policy=self.policy)
        policy = self._policy_of(connection)
        if (connection.host or "").lower().startswith(("https://", "http://")):
            return self._console_of(connection, policy)
        return GateSettings(ledger=self._ledger_of(connection), policy=policy)

    def _console_of(self, connection: Any, policy: str | None) -> GateSettings:
        from tidegate.ledger.address import checked_address, checked_token

        parts = {"login": connection.login, "port": connection.port, "schema": connection.schema}
        if given := [name for name, value in parts.items() if value]:
            raise self._unusable(
                f"it has a {', a '.join(given)}, and a console takes but a token, as the password"
            )
        address = checked_address(connection.host)
        if not connection.password:
            # The worker's own token, if it has one.
            return GateSettings(ledger=address, policy=policy)
        mask_secret(connection.password)
        return GateSettings(ledger=address, policy=policy, token=checked_token(connection.password))

    def _ledger_of(self, connection: Any) -> str | None:
        parts = {
            "username": connection.login,
            "password": connection.password,
            "port": connection.port,
            "database": connection.schema,
        }
        given = {name: value for name, value in parts.items() if value}
        if not connection.host:
            if given:
                raise self._unusable(f"it has a {', a '.join(given)}, but no ledger URL")
            if not os.environ.get(_LEDGER_VARIABLE):
                raise _no_ledger(f"the connection {self.tidegate_conn_id!r} names no ledger")
            return None

        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            # Not chained: the cause repeats the URL, and the URL may hold a password.
            url = make_url(connection.host).set(**given)
        except (ArgumentError, ValueError):
            raise self._unusable("the host must be the ledger's whole URL") from None
        if any("pass" in key.lower() for key in url.query):
            # Neither Airflow nor SQLAlchemy knows to hide it there.
            raise self._unusable("a password stands in the URL's query")
        # In memory, or below whatever folder a task starts in, each task would have its own.
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_absolute():
            raise self._unusable("an SQLite ledger needs an absolute path")
        if url.password:
            mask_secret(str(url.password))
        return url.render_as_string(hide_password=False)

    def _policy_of(self, connection: Any) -> str | None:
        try:
            extra = json.loads(connection.extra or "{}")
        except ValueError:
            raise self._unusable("its extra is not JSON") from None
        if not isinstance(extra, dict):
            raise self._unusable("its extra is not a JSON object")
        unknown = sorted(set(extra) - _EXTRA_KEYS)
        if unknown:
            raise self._unusable(f"its extra has {', '.join(map(repr, unknown))}")
        policy = extra.get("policy") or None
        if policy is None:
            return self.policy
        if not isinstance(policy, str):
            raise self._unusable("the policy in its extra is not text")
        if self.policy is not None and self.policy != policy:
            raise UsageError(
                f"the task asks for policy {self.policy!r}, but the connection "
                f"{self.tidegate_conn_id!r} sets {policy!r}",
                remedy="leave the task's own policy out, or use a connection that sets none",
            )
        return policy

    def _unusable(self, why: str) -> UsageError:
        return UsageError(
            f"the connection {self.tidegate_conn_id!r} can't be used: {why}",
            remedy="put a whole SQLAlchemy URL in the host, such as "
            "postgresql+pg8000://db.example.com:5432/tidegate or sqlite:////var/tidegate.db, user "
            "and password in their own fields, or a console's address, the token as password; and "
            'in the extra nothing but {"policy": …}',
        )


def _no_ledger(why: str) -> LedgerUnavailableError:
    return LedgerUnavailableError(
        f"{why}, and {_LEDGER_VARIABLE} is not set: nothing is known of a ledger",
        remedy=f"define the connection {DEFAULT_CONN_ID!r} (type tidegate, the ledger's URL as "
        f"host), or set {_LEDGER_VARIABLE} on the workers, to one ledger that all of them reach",
    )
