"""Reading TorchScript source: its tokens, not its grammar.

torch prints the code itself, so its form is narrow, and whatever is not of that form is held.
What is looked at: every dotted name that starts at `torch`, `ops` or `__torch__`, every name
that is called, every attribute. Strings and comments are stepped over exactly as torch's lexer
does; where a token is none that it has, the code is held as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidegate.scanners.torchscript.operators import judge_class, judge_operator, operators

Problem = tuple[str, str]

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n\f]+|\\\r?\n|#[^\n]*)"
    r'|(?P<text>"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'(?:[^\'\\]|\\.|\'(?!\'\'))*\'\'\''
    r'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')'
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[0-9]+[0-9.eEjxXabcdefABCDEF]*(?:(?<=[eE])[+-][0-9]+j?)?|\.[0-9]+[eEj0-9+-]*)"
    r"|(?P<mark>[-+*/%=<>!&|^~()\[\]{},:.;@])",
    re.DOTALL,
)
# Words of Python that no code of torch's printer has, and that make Python of it.
_FORBIDDEN = frozenset(
    {"import", "from", "exec", "eval", "lambda", "global", "nonlocal", "yield", "async", "await",
     "try", "except", "finally"}
)  # fmt: skip
_DUNDERS = frozenset(
    {"__torch__", "__parameters__", "__buffers__", "__annotations__", "__constants__",
     "__getstate__", "__setstate__", "__init__", "__len__", "__iter__", "__call__", "__enter__",
     "__exit__", "__str__", "__repr__", "__hash__", "__bool__", "__forward_hooks__",
     "__forward_pre_hooks__", "__delitem__", "__setitem__", "__new__", "__obj_flatten__"}
)  # fmt: skip
_ROOTS = frozenset({"torch", "ops"})
_GETTERS = frozenset({"getattr", "hasattr", "setattr"})


def judge_source(text: str) -> Iterator[Problem]:
    """What is wrong with the code, each thing once: rule and message."""
    seen: set[Problem] = set()
    for problem in _Reading(text).problems():
        if problem not in seen:
            seen.add(problem)
            yield problem


class _Reading:
    def __init__(self, text: str) -> None:
        self._text = text
        self._chain: list[str] = []
        self._after_dot = False
        self._fetching = 0
        self._own = set(re.findall(r"\b(?:def|class)\s+([A-Za-z_]\w*)", text))
        self._bound = set(re.findall(r"(?m)^[ \t]*([A-Za-z_]\w*)[ \t]*=", text))

    def problems(self) -> Iterator[Problem]:
        at, text = 0, self._text
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                yield (
                    "TORCH-SCRIPT-UNKNOWN",
                    "holds characters or quotes that TorchScript does not have",
                )
                return
            at = match.end()
            kind, word = match.lastgroup, match[0]
            if kind == "space":
                continue
            if kind == "name":
                yield from self._name(word, text[at : at + 1])
            elif word == ".":
                self._after_dot = True
            else:
                yield from self._end_chain(called=word == "(")
                if self._fetching and kind == "text":
                    yield from self._fetched(word)
                elif word == ")":
                    self._fetching = 0
        yield from self._end_chain(called=False)

    def _name(self, token: str, following: str) -> Iterator[Problem]:
        if following in {"'", '"'}:
            yield "TORCH-SCRIPT-UNKNOWN", "holds a string with a prefix, which torch does not print"
        if self._after_dot:
            self._after_dot = False
            if self._chain:
                self._chain.append(token)
            else:
                yield from self._attribute(token)
            return
        yield from self._end_chain(called=False)
        if token in _FORBIDDEN:
            yield (
                "TORCH-SCRIPT-UNKNOWN",
                f"is Python rather than TorchScript: it has the word {token!r}",
            )
        self._chain = [token]

    def _end_chain(self, *, called: bool) -> Iterator[Problem]:
        chain, self._chain = self._chain, []
        self._after_dot = False
        if not chain:
            return
        root, rest = chain[0], chain[1:]
        if root in _ROOTS and not rest:
            # `torch` alone could be given another name, and hide what is then called.
            yield "TORCH-SCRIPT-UNKNOWN", f"hands on {root!r} itself instead of naming an operator"
        elif root == "torch" and rest[0] == "ops" and len(rest) > 2:
            yield from _found(judge_operator(rest[1], rest[2]))
        elif root == "torch":
            yield from _found(judge_operator("aten", rest[0]))
        elif root == "ops":
            if len(rest) < 2:
                yield "TORCH-SCRIPT-UNKNOWN", "hands on a namespace instead of naming an operator"
            else:
                yield from _found(judge_operator(rest[0], rest[1]))
        elif root == "__torch__":
            yield from _found(judge_class(".".join(chain)))
        elif root in _GETTERS and not rest:
            if called:
                self._fetching = 1
            else:
                yield "TORCH-SCRIPT-UNKNOWN", f"hands on {root!r} instead of calling it"
        else:
            if called and not rest:
                yield from self._called(root)
            if _is_odd_dunder(root):
                yield "TORCH-SCRIPT-UNKNOWN", f"names {root[:60]}"
            for attribute in rest:
                yield from self._attribute(attribute)

    def _called(self, name: str) -> Iterator[Problem]:
        if not (
            name in operators().callable
            or name in self._own
            or name in self._bound
            or re.fullmatch(r"_[0-9]{1,6}", name)
            or name in {"if", "while", "for", "in", "and", "or", "not", "return", "is", "elif",
                        "assert", "raise", "with", "as", "del", "class"}
        ):  # fmt: skip
            yield "TORCH-SCRIPT-UNKNOWN", f"calls {name[:60]}, which is no part of TorchScript"

    def _attribute(self, name: str) -> Iterator[Problem]:
        denied = operators().denied.get(name)
        if denied is not None:
            yield "TORCH-SCRIPT-OPERATOR", f"calls {denied[0]}: {denied[1]}"
        elif _is_odd_dunder(name):
            yield "TORCH-SCRIPT-UNKNOWN", f"names the attribute {name[:60]}"

    def _fetched(self, literal: str) -> Iterator[Problem]:
        """A name that getattr is given as a text: torch prints it so where it is no identifier."""
        name = literal.strip("'\"")
        self._fetching += 1
        if "\\" in name or self._fetching > 2:
            yield "TORCH-SCRIPT-UNKNOWN", "fetches an attribute whose name is put together"
            return
        yield from self._attribute(name)


def _is_odd_dunder(name: str) -> bool:
    return (
        name.startswith("__")
        and name.endswith("__")
        and name not in _DUNDERS
        and name not in operators().allowed["aten"]
    )


def _found(problem: Problem | None) -> Iterator[Problem]:
    if problem is not None:
        yield problem
