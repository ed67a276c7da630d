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

Always holds: a file with any error gives no policy at all; an unknown key is an error, for a
misspelt one must not silently loosen the rules.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tidegate.errors import PolicyError
from tidegate.policy.model import Policy
from tidegate.policy.profiles import profile
from tidegate.scanners.interface import Severity
from tidegate.scanners.rules import rules

_MAX_BYTES = 1 << 20

_Label = Literal["info", "low", "medium", "high", "critical"]
_Module = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]


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
        with Path(path).open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise PolicyError(
            f"the policy file {str(path)!r} can't be read: {error.strerror}",
            remedy="check --policy or TIDEGATE_POLICY: a file, or one of standard, strict, audit",
        ) from error
    if len(text) > _MAX_BYTES:
        raise PolicyError(f"the policy file {str(path)!r} is larger than {_MAX_BYTES} bytes")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError(f"the policy file {str(path)!r} is not UTF-8 text") from error
    return parse_policy(decoded, name=str(path))


def parse_policy(text: str, *, name: str = "policy") -> Policy:
    """The policy in a YAML text; `name` stands in the messages. Raises as `load_policy`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        problems = _duplicate_keys(node) if node else []
        data = yaml.load(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "problem", None) or str(error)
        raise _invalid(name, [f"{where}{what}"]) from error
    if not isinstance(data, dict):
        raise _invalid(name, ["line 1: a policy is a mapping; see `tidegate policy show`"])
    try:
        file = _PolicyFile.model_validate(data)
    except ValidationError as error:
        problems += [
            f"line {_line_of(node, item['loc'])}: {_words(item)}" for item in error.errors()
        ]
        raise _invalid(name, problems) from error
    if problems:
        raise _invalid(name, problems)
    return _apply(file)


def _apply(file: _PolicyFile) -> Policy:
    policy = profile(file.profile)
    changes: dict[str, Any] = {
        "contact": file.contact,
        "review_url": file.review_url,
        "trusted_modules": tuple(sorted(set(file.trusted_modules))),
        "severity_overrides": tuple(
            sorted((rule, Severity.from_label(label)) for rule, label in file.severity.items())
        ),
    }
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


def _invalid(name: str, problems: list[str]) -> PolicyError:
    count = f"{len(problems)} error{'s' if len(problems) > 1 else ''}"
    return PolicyError(
        f"the policy {name!r} has {count}",
        problems=tuple(problems),
        remedy="correct it; `tidegate policy check FILE` looks again. Until then nothing passes",
    )


def _words(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = ", ".join(field.alias or key for key, field in _PolicyFile.model_fields.items())
        return f"{place}: there is no such key (known: {known})"
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _line_of(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """The line, from 1, of the deepest node on the path that the file has."""
    line = node.start_mark.line + 1 if node else 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    node, line = value, key.start_mark.line + 1
                    break
            else:
                return line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                return line
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def _duplicate_keys(root: yaml.Node) -> list[str]:
    """YAML lets a key stand twice and takes the last; a reader sees the first."""
    problems: list[str] = []
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
        elif isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if key.value in keys:
                    line = key.start_mark.line + 1
                    problems.append(f"line {line}: {key.value}: this key stands twice")
                if isinstance(key.value, str):
                    keys.add(key.value)
                pending.append(value)
    return problems
