"""Settings from the environment: `TIDEGATE_*`. What a caller passes outweighs them.

The signing key and the key list are read by `tidegate.attestation.own_key`.

Always holds: a setting that can't be used is an error that names it, never a silent default.
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tidegate.errors import UsageError
from tidegate.scanners.interface import Limits


class Settings(BaseSettings):
    """The environment's settings, one field for each variable."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_", frozen=True)

    ledger: str | None = None
    """SQLAlchemy URL of the ledger; without it, an SQLite file in the user's data folder."""

    policy: str | None = None
    """A policy file, or the name of a built-in profile."""

    actor: str | None = None
    """Who acts, for records; without it, the operating system's user."""

    scan_seconds: float = Field(default=900.0, gt=0)
    """Longest time for one artifact's scan."""

    scan_memory_mb: int = Field(default=1024, ge=256)
    """Address space of one scanner process."""

    verify_on_load: Literal["on", "require", "off"] = "on"
    """Whether MLflow clients check what they download before it is loaded."""

    run_context: Literal["on", "off"] = "on"
    """Whether MLflow runs that are started here say what they ran with."""

    keep: Literal["copy", "clone", "off"] = "copy"
    """Whether an MLflow server keeps its own copy of what passes: always where it can, only where
    the disk can clone files without taking up room, or not at all."""

    review_pages: Literal["on", "open", "off"] = "on"
    """The review pages of an MLflow server: for its users, for everybody to read where it has no
    users, or not at all."""

    def limits(self) -> Limits:
        """The limits of a scan."""
        return Limits(
            total_seconds=self.scan_seconds,
            file_seconds=min(Limits().file_seconds, self.scan_seconds),
            memory=self.scan_memory_mb << 20,
        )

    def ledger_url(self) -> str:
        """The ledger's URL: the one that is set, or the user's own SQLite file."""
        if self.ledger:
            # People copy the URI that they gave to MLflow.
            return self.ledger.removeprefix("tidegate+")
        import platformdirs

        return f"sqlite:///{Path(platformdirs.user_data_dir('tidegate')) / 'ledger.db'}"

    def acting_user(self) -> str:
        """The name that goes into records."""
        if self.actor:
            return self.actor
        try:
            return getpass.getuser()
        except (OSError, KeyError) as error:
            raise UsageError(
                "nobody can be told from this environment", remedy="set TIDEGATE_ACTOR"
            ) from error


def read_settings() -> Settings:
    """The settings of this process's environment.

    Raises:
        UsageError: one of them can't be used; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"TIDEGATE_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()
        )
        raise UsageError(f"a setting can't be used: {wrong}") from error
