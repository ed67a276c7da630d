"""What compiled code can reach, by the names that it uses: the reasons to hold it.

Code that a model carries is judged before anybody calls it. Arithmetic, attributes and the
libraries that models are made of are no concern; processes, the network, files that are
written, imports by name, and ways into the interpreter are. The lists are data
(`data/bytecode/names.json`, and the dangerous callables of `tidegate.scanners.callables`).

Always holds: code that could not be read is a concern; a module of the standard library that
no list has is one (nobody vouched for it); an alias hides nothing, for what a module is bound
to does not matter: any dangerous name of any module in sight is a concern.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tidegate.scanners.bytecode.facts import CodeFacts, Concern
from tidegate.scanners.callables import (
    Standing,
    dangerous_callables,
    dangerous_modules_below,
    is_standard_library,
    judge,
    judge_module,
)

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_WORDS_OF_PROSE = frozenset(
    {"subprocess", "curl ", "wget ", "compile(", "eval(", "exec(", "import os", "import sys"}
)
_PATH = re.compile(r"^[~/]|^[A-Za-z]:\\\\|\.\./|[\w.]/[\w.]")
_URL = re.compile(r"(?:https?|ftp|s3|gs|hdfs|wss?)://", re.IGNORECASE)


def concerns(code: CodeFacts, modules: Iterable[str] = ()) -> tuple[Concern, ...]:
    """The reasons to hold `code`; none where it is harmless.

    `modules` are those that the code's surroundings bind to names it may use, in full.
    """
    if code.unreadable is not None:
        return (Concern(code.name, f"its byte code can't be read: {code.unreadable}"),)
    return tuple(dict.fromkeys(_concerns(code, frozenset(modules))))


def module_concern(module: str) -> Concern | None:
    """Why code should not have that module at hand; None for one that models work with."""
    lists = _lists()
    if module in lists.readable_modules:
        return None
    dangerous = judge_module(module)
    if dangerous is not None and module not in lists.harmless_modules:
        return Concern(module, dangerous.reason)
    top = module.split(".", 1)[0]
    if is_standard_library(module) and top not in lists.harmless_modules | lists.readable_modules:
        return Concern(module, f"{top} is of the standard library, and no list has it as harmless")
    return None


def is_telling_attribute(name: str) -> bool:
    """True for an attribute that code of models has no use for."""
    return name in _lists().attributes


def is_risky_module(module: str) -> bool:
    """True for modules through which code reaches beyond the model."""
    return module.split(".", 1)[0] in _lists().risky_modules


def is_model_library(module: str) -> bool:
    """True for the packages whose functions the code of honest models calls."""
    return module.split(".", 1)[0] in _lists().model_libraries


def _concerns(code: CodeFacts, modules: frozenset[str]) -> Iterator[Concern]:
    lists = _lists()
    for module in sorted(code.imports):
        found = module_concern(module)
        if found is not None:
            yield found
        for name in sorted(code.fetched):
            judgement = judge(module, name)
            if judgement.standing is Standing.DANGEROUS and name not in lists.reading:
                whole = module_concern(f"{module}.{name}")
                if judge_module(module) is None or whole is not None:
                    yield Concern(f"{module}.{name}", judgement.reason)
    for name in sorted(code.roots):
        if name in lists.roots:
            yield Concern(name, lists.roots[name])
    named = code.attributes | code.fetched
    for name in sorted(named | code.roots):
        if name in lists.attributes:
            yield Concern(name, lists.attributes[name])
    for name in sorted(name for name in named if name.lstrip("_") in lists.module_words):
        yield Concern(name, "it fetches that module through another one")
    in_sight = modules | code.imports
    bound = {module.split(".", 1)[0] for module in in_sight}
    for name in sorted((code.roots & lists.module_words) - bound):
        yield Concern(name, "it uses that module, which nothing here imports")
    yield from _with_modules(code, named, in_sight)
    yield from _with_strings(code, named, in_sight)


def _with_modules(
    code: CodeFacts, named: frozenset[str], in_sight: frozenset[str]
) -> Iterator[Concern]:
    """Names that are a concern only together with a module, whatever it is bound to."""
    lists = _lists()
    tops = {module.split(".", 1)[0] for module in in_sight}
    for row_modules, names, reason in lists.with_module:
        for name in sorted(names & (named | code.roots)):
            if tops & row_modules:
                yield Concern(f"{min(tops & row_modules)}.{name}", reason)
    for module in dangerous_modules_below(tops):
        below = module.split(".")[1:]
        if all(part in named for part in below):
            judgement = judge_module(module)
            yield Concern(module, judgement.reason if judgement else "it is dangerous")
    inner = {part for module in in_sight for part in module.split(".")[1:]}
    for top in sorted(tops):
        for path, parts, judgement in dangerous_callables(top):
            last = parts[-1]
            if last in lists.reading or last in lists.common:
                continue
            if all(part in named or part in inner for part in parts):
                yield Concern(path, judgement.reason)


def _with_strings(
    code: CodeFacts, named: frozenset[str], in_sight: frozenset[str]
) -> Iterator[Concern]:
    """Strings that are code, commands, addresses to load from, or names to be fetched."""
    lists = _lists()
    for text in sorted(code.strings):
        telling = next((part for part in lists.telling_strings if part in text), None)
        # super() without arguments leaves "__class__" behind, and so does no string constant.
        if telling is not None and not _is_prose(text, telling):
            yield Concern(telling, f"it holds the text {text[:40]!r}")
    certain = code.modes if "open" not in named else code.strings
    if "open" in code.roots:
        certain |= {text for text in code.strings if text == "w" or len(text) > 1}
    for text in sorted(certain):
        if len(text) <= 5 and lists.writing_modes.fullmatch(text):
            yield Concern("open", f"it opens files in mode {text!r}")
    writing = named & lists.writing_with_a_path
    if writing:
        for text in sorted(code.strings):
            if _PATH.search(text) and not _URL.match(text) and " " not in text:
                yield Concern(min(writing), f"it writes to {text[:40]!r}")
    if named & lists.reading or "open" in code.roots:
        for text in sorted(code.strings):
            if _URL.match(text):
                yield Concern(text[:60], "it loads from an address")
    if named & lists.loading:
        for text in sorted(code.strings):
            if text.startswith(("/", "~")) and " " not in text and len(text) > 1:
                yield Concern(text[:60], "it loads from a place outside the model")
    yield from _reflecting(code, named, in_sight)
    if code.long_strings and named & {"eval", "query"}:
        yield Concern("eval", "it evaluates a text that is too long to be an expression")


def _reflecting(
    code: CodeFacts, named: frozenset[str], in_sight: frozenset[str]
) -> Iterator[Concern]:
    """Attributes that are fetched by a name: a telling one, or one that is put together."""
    lists = _lists()
    reflecting = lists.reflective & (code.roots | named)
    words = {text for text in code.strings if _IDENTIFIER.fullmatch(text)}
    if reflecting and in_sight:
        if not words:
            yield Concern(min(reflecting), "it fetches attributes of modules by computed names")
        building = lists.text_builders & (code.roots | named)
        if building:
            yield Concern(min(building), "it puts together the names of attributes")
    if reflecting:
        risky = {module.split(".", 1)[0] for module in in_sight} & lists.risky_modules
        if risky:
            yield Concern(min(reflecting), f"it fetches attributes of {min(risky)} by name")
    if reflecting or "__dict__" in named:
        for text in sorted(words):
            if any(
                word in lists.telling_words
                or word in lists.attributes
                or word in lists.module_words
                for word in (text, text[::-1], text.lstrip("_"))
            ):
                yield Concern(text, "it fetches an attribute of that name")


def _is_prose(text: str, telling: str) -> bool:
    """A docstring may well say "subprocess"; a program, a command or a bare name is none."""
    return telling in _WORDS_OF_PROSE and text.count(" ") >= 5


@dataclass(frozen=True, slots=True)
class _Lists:
    roots: dict[str, str]
    attributes: dict[str, str]
    with_module: tuple[tuple[frozenset[str], frozenset[str], str], ...]
    module_words: frozenset[str]
    writing_with_a_path: frozenset[str]
    reflective: frozenset[str]
    text_builders: frozenset[str]
    loading: frozenset[str]
    risky_modules: frozenset[str]
    reading: frozenset[str]
    common: frozenset[str]
    telling_strings: tuple[str, ...]
    telling_words: frozenset[str]
    writing_modes: re.Pattern[str]
    harmless_modules: frozenset[str]
    readable_modules: frozenset[str]
    model_libraries: frozenset[str]


@cache
def _lists() -> _Lists:
    text = files("tidegate.scanners").joinpath("data/bytecode/names.json").read_text("utf-8")
    data = json.loads(text)

    def reasons(key: str) -> dict[str, str]:
        return {name: row["reason"] for row in data[key] for name in row["names"]}

    return _Lists(
        roots=reasons("roots"),
        attributes=reasons("attributes"),
        with_module=tuple(
            (frozenset(row["modules"]), frozenset(row["names"]), row["reason"])
            for row in data["with_module"]
        ),
        module_words=frozenset(data["module_words"]),
        writing_with_a_path=frozenset(data["writing_with_a_path"]),
        text_builders=frozenset(data["text_builders"]),
        loading=frozenset(data["loading"]),
        reflective=frozenset(data["reflective"]),
        risky_modules=frozenset(data["risky_modules"]),
        reading=frozenset(data["reading"]),
        common=frozenset(data["common"]),
        telling_strings=tuple(data["telling_strings"]),
        telling_words=frozenset(data["telling_words"]),
        writing_modes=re.compile(data["writing_modes"]),
        harmless_modules=frozenset(data["harmless_modules"]),
        readable_modules=frozenset(data["readable_modules"]),
        model_libraries=frozenset(data["model_libraries"]),
    )
