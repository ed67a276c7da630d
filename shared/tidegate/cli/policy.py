"""`tidegate policy`: check a policy file, and show what a policy comes to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.options import format_option
from tidegate.cli.output import emit

if TYPE_CHECKING:
    from tidegate.policy.model import Policy


@click.group("policy")
def command() -> None:
    """Check a policy file, or show what a policy comes to."""


@command.command("check")
@click.argument("file", metavar="FILE")
def check(file: str) -> None:
    """Say every error of a policy file with its line; exit code 2 if there is any."""
    from tidegate.policy import load_policy
    from tidegate.policy.explain import printable

    policy = load_policy(file)
    emit(f"{printable(file)} is valid: profile {policy.profile}, {policy.digest}\n")


@command.command("show")
@click.argument("which", metavar="[FILE|PROFILE]", required=False)
@format_option("yaml", "json")
def show(which: str | None, form: str) -> None:
    """Show a policy in full, defaults included.

    Without an argument: the one that $TIDEGATE_POLICY names, or else the profile "standard".
    What is printed as YAML is itself a valid policy file, to begin your own with.
    """
    from tidegate.policy import resolve_policy
    from tidegate.settings import read_settings

    policy = resolve_policy(which or read_settings().policy)
    if form == "json":
        emit(json.dumps({**policy.to_dict(), "digest": policy.digest}, indent=2) + "\n")
        return
    import yaml

    emit(
        f"# {policy.digest}, mode {policy.mode.value}\n"
        + yaml.safe_dump(_as_file(policy), sort_keys=False)
    )


def _as_file(policy: Policy) -> dict[str, Any]:
    """The policy as the file that would give it."""
    file: dict[str, Any] = {"schema": 1, "profile": policy.profile}
    if policy.contact:
        file["contact"] = policy.contact
    if policy.review_url:
        file["review_url"] = policy.review_url
    file |= {
        "hold_at": policy.hold_at.label,
        "deny_at": "never" if policy.deny_at is None else policy.deny_at.label,
        "waivers": {"max_days": policy.waiver_days, "ceiling": policy.waiver_ceiling.label},
        "trusted_modules": list(policy.trusted_modules),
        "severity": {rule: severity.label for rule, severity in policy.severity_overrides},
    }
    if policy.protected_aliases:
        file["protected_aliases"] = dict(policy.protected_aliases)
    if policy.chain is not None:
        from tidegate.policy.chain_file import section_of

        file["chain"] = section_of(policy.chain)
    if policy.signatures is not None:
        from tidegate.policy import signatures_file

        file["signatures"] = signatures_file.section_of(policy.signatures)
    return file
