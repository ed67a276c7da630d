"""The policy file: YAML in, a `Policy` out, or every error with its line.

    schema: 1
    profile: standard            # standard, strict or audit; what follows changes that profile
    contact: ml-security@example.com
    review_url: https://mlflow.example.com/tidegate
    trusted_modules: [churn_features]
    hold_at: high                # findings of this severity or graver are held
    deny_at: critical            # graver still: denied, with no review asked for
    waivers: {max_days: 30, ceiling: high}
    severity: {PICKLE-TRAILING: high}
    chain: {roles: [data]}       # what is demanded of where an artifact came from: see chain_file
    signatures:                  # by whom models must be signed: see signatures_file
      signers: [{owner: ml-platform, key: ml-platform.pub}]

Always holds: a file with any error gives no policy at all; an unknown key is an error, for a
misspelt one must not silently loosen the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tidegate.errors import PolicyError
from tidegate.policy.chain_file import ChainSection, chain_of
from tidegate.policy.model import Policy
from tidegate.policy.profiles import profile
from tidegate.policy.signatures_file import SignaturesSection, demand_of
from tidegate.policy.yaml_file import FileProblems, line_at, read_as, read_text
from tidegate.scanners.interface import Severity
from tidegate.scanners.rules import rules

_Label = Literal["info", "low", "medium", "high", "critical"]
_Module = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
_Alias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=255)]


class _Waivers(BaseModel):
    model_config = ConfigDict(extra="forbid")

    max_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    ceiling: _Label | None = None


class _PolicyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    profile: Literal["standard", "strict", "audit"] = "standard"
    contact: Annotated[str, Field(max_length=120)] | None = None
    review_url: Annotated[str, Field(max_length=160, pattern=r"^https?://\S+$")] | None = None
    trusted_modules: list[_Module] = []
    hold_at: Literal["low", "medium", "high", "critical"] | None = None
    deny_at: Literal["medium", "high", "critical", "never"] | None = None
    waivers: _Waivers = _Waivers()
    severity: dict[str, _Label] = {}
    chain: ChainSection | None = None
    signatures: SignaturesSection | None = None
    protected_aliases: dict[_Alias, Literal["admin", "passing"]] = {}

    @field_validator("trusted_modules")
    @classmethod
    def _modules_are_somebodys(cls, value: list[str]) -> list[str]:
        if any(module.split(".")[0] == "__main__" for module in value):
            raise ValueError("__main__ is whatever script is running; name the module itself")
        return value

    @field_validator("severity")
    @classmethod
    def _rules_exist(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - set(rules()))
        if unknown:
            raise ValueError(
                f"there is no rule {', '.join(unknown)}; `tidegate rules list` shows them all"
            )
        return value


def load_policy(path: str | Path) -> Policy:
    """Read a policy file.

    Raises:
        PolicyError: it can't be read or is not valid; `problems` has each error with its line.
    """
    try:
        text = read_text(Path(path))
    except OSError as error:
        raise PolicyError(
            f"the policy file {str(path)!r} can't be read: {error.strerror}",
            remedy="check --policy or TIDEGATE_POLICY: a file, or one of standard, strict, audit",
        ) from error
    except FileProblems as error:
        raise PolicyError(f"the policy file {str(path)!r} {error.problems[0]}") from error
    return parse_policy(text, name=str(path), folder=Path(path).parent)


def parse_policy(text: str, *, name: str = "policy", folder: Path | None = None) -> Policy:
    """The policy in a YAML text. Raises as `load_policy`.

    Args:
        text: the YAML.
        name: what it is called in messages.
        folder: where the files lie that it names.
    """
    try:
        file = read_as(_PolicyFile, text, whole="a policy is a mapping; see `tidegate policy show`")
        return _apply(file, folder, partial(line_at, text))
    except FileProblems as error:
        raise _invalid(name, error.problems) from error


def _apply(
    file: _PolicyFile, folder: Path | None, line: Callable[[tuple[int | str, ...]], int]
) -> Policy:
    policy = profile(file.profile)
    changes: dict[str, Any] = {
        "contact": file.contact,
        "review_url": file.review_url,
        "trusted_modules": tuple(sorted(set(file.trusted_modules))),
        "protected_aliases": tuple(
            sorted((name.casefold(), who) for name, who in file.protected_aliases.items())
        ),
        "severity_overrides": tuple(
            sorted((rule, Severity.from_label(label)) for rule, label in file.severity.items())
        ),
    }
    if file.chain is not None:
        changes["chain"] = chain_of(file.chain, folder, line)
    if file.signatures is not None:
        changes["signatures"] = demand_of(file.signatures, folder, line)
    if file.hold_at is not None:
        changes["hold_at"] = Severity.from_label(file.hold_at)
    if file.deny_at is not None:
        never = file.deny_at == "never"
        changes["deny_at"] = None if never else Severity.from_label(file.deny_at)
    if file.waivers.max_days is not None:
        changes["waiver_days"] = file.waivers.max_days
    if file.waivers.ceiling is not None:
        changes["waiver_ceiling"] = Severity.from_label(file.waivers.ceiling)
    return replace(policy, **changes)


def _invalid(name: str, problems: Sequence[str]) -> PolicyError:
    count = f"{len(problems)} error{'s' if len(problems) > 1 else ''}"
    return PolicyError(
        f"the policy {name!r} has {count}",
        problems=tuple(problems),
        remedy="correct it; `tidegate policy check FILE` looks again. Until then nothing passes",
    )
