"""The decision: a policy applied to evidence, with no I/O.

policy = load_policy("tidegate.yaml")        # or a built-in one: profile("strict")
decision = decide(policy, Action.LOAD, evidence, digest=digest, subject="fraud", now=now)
decision.allowed, decision.explain()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.policy.decide import decide
from tidegate.policy.model import (
    Action,
    Decision,
    Mode,
    Outcome,
    Policy,
    Reason,
    Review,
    ReviewVerdict,
    Waiver,
)
from tidegate.policy.profiles import profile, resolve_policy

if TYPE_CHECKING:
    from tidegate.policy.schema import load_policy, parse_policy

__all__ = [
    "Action",
    "Decision",
    "Mode",
    "Outcome",
    "Policy",
    "Reason",
    "Review",
    "ReviewVerdict",
    "Waiver",
    "decide",
    "load_policy",
    "parse_policy",
    "profile",
    "resolve_policy",
]


def __getattr__(name: str) -> Any:
    # The file format brings pydantic and YAML; who uses a built-in profile needs neither.
    if name not in {"load_policy", "parse_policy"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tidegate.policy import schema

    return getattr(schema, name)
