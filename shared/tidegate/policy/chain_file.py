"""The part of a policy file about where an artifact came from, and lists of known-good checksums.

    chain:
      actions: [alias, stage, load, deploy]    # those that demand it; by default all
      unbroken: true                           # the defaults
      signed: true
      roles: [data]                            # inputs that must be on record
      sources:                                 # where data sets and base models may come from
        origins: [https://huggingface.co/acme/]
        known_good: [checksums/acme.yaml]      # beside the policy file

A list of checksums is a file of its own, or stands in place:

    schema: 1
    publisher: Acme Research
    checksums:
      - {name: base-7b.safetensors, sha256: 5e8c…}    # the file's, as sha256sum prints it
      - {name: base-7b, sha256: "sha256:91f0…"}       # or the digest that Tidegate shows

Always holds: a list that can't be read in full is an error of the policy, and the checksums become
part of the policy: its digest names them, and a file changed later is another policy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tidegate.policy.chain import Chain, KnownGood, is_origin
from tidegate.policy.model import Action
from tidegate.policy.yaml_file import FileProblems, read_as, read_text

_ACTIONS = tuple(action.value for action in Action)
_MAX_LISTED = 20_000

_ActionName = Literal["register", "alias", "stage", "load", "deploy"]
_Name = Annotated[str, Field(min_length=1, max_length=400)]
_Role = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class _Checksum(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Name
    sha256: Annotated[str, Field(pattern=r"^(sha256:)?[0-9a-f]{64}$")]


_Checksums = Annotated[list[_Checksum], Field(min_length=1, max_length=_MAX_LISTED)]


class _ListFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    publisher: _Name
    checksums: _Checksums


class _Listed(BaseModel):
    """A list of checksums by its file's name, or in place."""

    model_config = ConfigDict(extra="forbid", strict=True)

    file: _Name | None = None
    publisher: _Name | None = None
    checksums: _Checksums | None = None

    @model_validator(mode="before")
    @classmethod
    def _a_text_names_a_file(cls, value: object) -> object:
        return {"file": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        in_place = self.publisher is not None and self.checksums is not None
        neither = self.publisher is None and self.checksums is None
        if not (neither if self.file is not None else in_place):
            raise ValueError("give a file's name, or a publisher with his checksums")
        return self


class _Sources(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    origins: list[str] = []
    known_good: list[_Listed] = []

    @field_validator("origins")
    @classmethod
    def _are_addresses(cls, value: list[str]) -> list[str]:
        for origin in value:
            if not is_origin(origin):
                raise ValueError(
                    f"{origin!r} is no origin: give a scheme, a host, and where it has one a path "
                    "without escapes, such as https://huggingface.co/acme/"
                )
        return value


class ChainSection(BaseModel):
    """The section `chain` of a policy file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    actions: Annotated[list[_ActionName], Field(min_length=1)] | None = None
    unbroken: bool = True
    signed: bool = True
    roles: list[_Role] = []
    sources: _Sources | None = None


def chain_of(
    section: ChainSection, folder: Path | None, line: Callable[[tuple[int | str, ...]], int]
) -> Chain:
    """What a policy file demands.

    Args:
        section: as it stands in the file.
        folder: against which the names of lists are read; None where there is no file.
        line: of what stands at a path in the file.

    Raises:
        FileProblems: a list can't be read.
    """
    sources = section.sources
    known: set[KnownGood] = set()
    problems: list[str] = []
    place = ("chain", "sources", "known_good")
    for number, listed in enumerate(sources.known_good if sources else ()):
        if listed.file is None:
            known |= _entries(listed.publisher or "", listed.checksums or [])
            continue
        try:
            file = _read(listed.file, folder)
            known |= _entries(file.publisher, file.checksums)
        except FileProblems as error:
            where = f"line {line((*place, number))}: {'.'.join(place)}.{number}: {listed.file}"
            problems += [f"{where}: {each}" for each in error.problems]
    if len(known) > _MAX_LISTED:
        problems.append(
            f"line {line(place)}: {'.'.join(place)}: more than {_MAX_LISTED} checksums in all"
        )
    if problems:
        raise FileProblems(*problems)
    return Chain(
        actions=tuple(sorted(set(section.actions or _ACTIONS))),
        unbroken=section.unbroken,
        signed=section.signed,
        roles=tuple(sorted(set(section.roles))),
        checks_sources=sources is not None,
        origins=tuple(sorted(set(sources.origins))) if sources else (),
        known_good=tuple(sorted(known, key=lambda k: (k.publisher, k.name, k.sha256))),
    )


def section_of(chain: Chain) -> dict[str, object]:
    """The section that would give this chain, lists in place."""
    section: dict[str, object] = {
        "actions": list(chain.actions),
        "unbroken": chain.unbroken,
        "signed": chain.signed,
        "roles": list(chain.roles),
    }
    if chain.checks_sources:
        publishers = dict.fromkeys(each.publisher for each in chain.known_good)
        section["sources"] = {
            "origins": list(chain.origins),
            "known_good": [
                {
                    "publisher": publisher,
                    "checksums": [
                        {"name": each.name, "sha256": each.sha256}
                        for each in chain.known_good
                        if each.publisher == publisher
                    ],
                }
                for publisher in publishers
            ],
        }
    return section


def _read(name: str, folder: Path | None) -> _ListFile:
    if folder is None:
        raise FileProblems("a policy that is no file has no files beside it")
    try:
        text = read_text(folder / name)
    except OSError as error:
        raise FileProblems(f"can't be read: {error.strerror}") from error
    return read_as(_ListFile, text, whole="a list of checksums is a mapping")


def _entries(publisher: str, checksums: list[_Checksum]) -> set[KnownGood]:
    return {
        KnownGood(publisher, each.name, each.sha256.removeprefix("sha256:")) for each in checksums
    }
