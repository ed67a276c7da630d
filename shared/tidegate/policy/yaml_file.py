"""A YAML text held to a pydantic model, with every error at its line.

Always holds: a text with any error gives no value; an unknown key is an error, and so is a key
that stands twice, of which YAML takes the last and a reader the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

_MAX_BYTES = 1 << 20

_File = TypeVar("_File", bound=BaseModel)


class FileProblems(Exception):  # noqa: N818 - a list of them, which the caller makes an error of
    """What is wrong with a file, one line for each."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems


def read_text(path: Path) -> str:
    """The text of a file of at most 1 MB.

    Raises:
        OSError: it can't be read.
        FileProblems: it is larger, or no UTF-8.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise FileProblems(f"is larger than {_MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblems("is not UTF-8 text") from error


def read_as(model: type[_File], text: str, *, whole: str) -> _File:
    """The value of a text; `whole` says what the text must be where it is no mapping.

    Raises:
        FileProblems: with every error and its line.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        problems = _duplicate_keys(node) if node else []
        data = yaml.load(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "problem", None) or str(error)
        raise FileProblems(f"{where}{what}") from error
    if not isinstance(data, dict):
        raise FileProblems(f"line 1: {whole}")
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        found = [(_line_of(node, item["loc"]), _words(model, item)) for item in error.errors()]
        problems += [f"line {line}: {words}" for line, words in sorted(found)]
        raise FileProblems(*problems) from error
    if problems:
        raise FileProblems(*problems)
    return value


def line_at(text: str, path: tuple[int | str, ...]) -> int:
    """The line, from 1, of what stands at a path in a text that `read_as` has read."""
    return _line_of(yaml.compose(text, Loader=yaml.SafeLoader), path)


def _words(model: type[BaseModel], item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        fields = _model_at(model, item["loc"][:-1]).model_fields
        known = ", ".join(field.alias or key for key, field in fields.items())
        return f"{place}: there is no such key (known: {known})"
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _model_at(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that a mapping deep in the file is held to."""
    for part in path:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)


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
