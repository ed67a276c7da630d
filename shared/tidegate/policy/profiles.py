"""The built-in policies. A policy file starts from one of them and says what it changes.

- `standard` holds high and critical findings and whatever could not be read, until somebody
  reviews it.
- `strict` holds from medium on, denies critical findings outright, and lets no waiver or
  approval reach those.
- `audit` comes to the same outcomes as `standard`, records them, and holds nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tidegate.errors import PolicyError
from tidegate.policy.model import Mode, Policy
from tidegate.scanners.interface import Severity

_STANDARD = Policy(
    profile="standard",
    mode=Mode.ENFORCE,
    hold_at=Severity.HIGH,
    deny_at=None,
    waiver_ceiling=Severity.CRITICAL,
    waiver_days=90,
)

PROFILES = {
    "standard": _STANDARD,
    "strict": replace(
        _STANDARD,
        profile="strict",
        hold_at=Severity.MEDIUM,
        deny_at=Severity.CRITICAL,
        waiver_ceiling=Severity.HIGH,
        waiver_days=30,
    ),
    "audit": replace(_STANDARD, profile="audit", mode=Mode.AUDIT),
}


def profile(name: str) -> Policy:
    """The built-in policy of that name.

    Raises:
        PolicyError: there is none.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise PolicyError(
            f"there is no policy profile {name!r}", remedy=f"take one of {', '.join(PROFILES)}"
        ) from None


def resolve_policy(policy: str | Path | Policy | None) -> Policy:
    """A policy from a value, a built-in profile's name, a file, or None for `standard`."""
    if isinstance(policy, Policy):
        return policy
    if policy is None:
        return profile("standard")
    if isinstance(policy, str) and policy in PROFILES:
        return PROFILES[policy]
    from tidegate.policy.schema import load_policy

    return load_policy(policy)
