"""Judging one object of a Keras configuration by what Keras resolves it to.

Keras 3 takes, in this order (`keras.src.saving.serialization_lib`): what is registered under
`registered_name`; a symbol of its own API by `module` and name; before 3.9, whatever `module`
imports and holds under that name, and for a function whatever its `config` names there. Keras 2
looks `class_name` up among its own and the registered names.

An object is judged as it is read, before the one around it, so that nothing need be kept but what
the one around it is judged by (`KerasPart`).
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tidegate.scanners.callables import Standing, judge
from tidegate.scanners.interface import Report, Severity, Subject
from tidegate.scanners.json_stream import Pairs
from tidegate.scanners.keras.names import (
    is_harmless_in_tensorflow,
    is_keras_module,
    is_own_class,
    is_own_function,
    keras_names,
)
from tidegate.scanners.streams import shown

_READ_AT_LOAD = ("vocabulary", "idf_weights")
WATCHED = frozenset({"class_name", "config", "function", "module", "registered_name"}) | {
    *_READ_AT_LOAD
}
"""The keys that an object is judged by."""

_PART = re.compile(r"(?:\w+_)?(?:activation|initializer|regularizer|constraint)")
_OLD_WORDS = frozenset({"normal", "one", "uniform", "zero"})
"""Names of initializers that Keras takes, beside those of its classes and functions."""

_CALLS_BY_NAME = frozenset({"TFOpLambda", "SlicingOpLambda", "ClassMethod"})


@dataclass(frozen=True, slots=True)
class KerasPart:
    """What is kept of an inner object: the files that it reads, the functions that it names.

    `words` are the names under which it has an activation, an initializer or the like.
    """

    files: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def keras_part(pairs: Pairs) -> KerasPart | None:
    """What the object around these pairs is judged by, if anything."""
    files = tuple(
        value for key, value in pairs if key in _READ_AT_LOAD and isinstance(value, str) and value
    )
    functions = tuple(value for key, value in pairs if key == "function" and isinstance(value, str))
    words = tuple(
        value for key, value in pairs if isinstance(value, str) and value and _PART.fullmatch(key)
    )
    return KerasPart(files, functions, words) if files or functions or words else None


def judge_object(pairs: Pairs, subject: Subject, report: Report, *, revived: bool = False) -> None:
    """Report what an object with `class_name` and `config` makes Keras do.

    With `revived`, an unknown class is no finding: the loader of a SavedModel builds a
    stand-in for it from the graph.
    """
    judge = _Judge(subject, report, revived=revived)
    for name in _values(pairs, "class_name"):
        if isinstance(name, str):
            judge.judge(name, pairs)
        elif name is not None:
            judge.found("An object's class_name is no name.", "class_name", Severity.HIGH)


def _values(pairs: Pairs, wanted: str) -> list[Any]:
    return [value for key, value in pairs if key == wanted]


class _Judge:
    def __init__(self, subject: Subject, report: Report, *, revived: bool) -> None:
        self._subject = subject
        self._report = report
        self._revived = revived

    def judge(self, name: str, pairs: Pairs) -> None:
        """Judge the object under one of its names, with every module and config that it has."""
        names = keras_names()
        last = name.rsplit(">", 1)[-1]
        configs = _values(pairs, "config")
        parts = [config for config in configs if isinstance(config, KerasPart)]
        for file in (file for part in parts for file in part.files):
            self._report.found(
                "KERAS-FILE",
                self._subject,
                f"The {shown(name)} reads {shown(file)} when the model is loaded.",
                detail=shown(file, 200),
            )
        for word in (word for part in parts for word in part.words):
            if not (is_own_class(word) or is_own_function(word) or word in _OLD_WORDS):
                self._unknown(None, word)
        if (what := names.code.get(last)) is not None:
            self.found(f"{shown(name)}: {what}.", name)
            return
        if (what := names.layers.get(last)) is not None:
            called = [function for part in parts for function in part.functions]
            if not (
                last in _CALLS_BY_NAME and called and all(map(is_harmless_in_tensorflow, called))
            ):
                detail = ", ".join([name, *called])
                self.found(f"{shown(detail)}: it {what}.", detail, Severity.HIGH)
            return
        modules = _values(pairs, "module") or [None]
        registered = self._judge_registered(name, pairs, modules)
        for module, wanted in (
            (module, wanted)
            for module in modules
            for wanted in (_functions(configs) if name == "function" else [name])
        ):
            self._judge_place(module, wanted, is_function=name == "function", registered=registered)

    def _judge_place(self, module: Any, name: str, *, is_function: bool, registered: bool) -> None:
        if module is not None and not isinstance(module, str):
            self.found("An object's module is no name.", "module", Severity.HIGH)
            return
        known = is_own_function if is_function else is_own_class
        if not module:
            if not known(name) and not registered:
                self._unknown(module, name)
        elif module == "builtins":
            # Keras looks among its own functions first, then for one that the user registered;
            # old versions among Python's, which a name that Python does not have can't reach.
            if not known(name) and (not is_function or hasattr(builtins, name)):
                self._judge_foreign(module, name)
        elif is_keras_module(module):
            what = f"{module}.{name}"
            names = keras_names()
            if what in names.keras or name in names.keras_names:
                self.found(f"{shown(what)} is called, which no model needs.", what)
            elif not (known(name) or (is_function and is_own_class(name))):
                self.found(f"{shown(what)} is no part of Keras' models.", what, Severity.HIGH)
        else:
            self._judge_foreign(module, name)

    def _judge_foreign(self, module: str, name: str) -> None:
        """Keras before 3.9 imports any module, and takes what it finds there under the name."""
        what = f"{module}.{name}"
        verdict = judge(module, name)
        if verdict.standing is Standing.DANGEROUS:
            self.found(f"{shown(what)} is imported, which reaches {verdict.reach}.", what)
        elif verdict.standing is Standing.UNREVIEWED:
            self._unknown(module, name)
        else:
            self.found(f"{shown(what)} is no part of Keras' models.", what, Severity.HIGH)

    def _judge_registered(self, name: str, pairs: Pairs, modules: list[Any]) -> bool:
        """A registered name is looked up first; whether one was found that is not Keras' own."""
        foreign = False
        for registered in _values(pairs, "registered_name"):
            if registered in (None, "", name):
                continue
            if not isinstance(registered, str):
                self.found("A registered name is no name.", "registered_name", Severity.HIGH)
            elif name != "function" and not is_own_class(registered):
                self._unknown(next((m for m in modules if isinstance(m, str)), None), registered)
                foreign = True
        return foreign

    def _unknown(self, module: str | None, name: str) -> None:
        if self._revived:
            return
        what = f"{module}.{name}" if module else name
        self._report.found(
            "KERAS-UNREVIEWED-CODE",
            self._subject,
            f"The model needs {shown(what)}, code of its own that nobody has reviewed.",
            detail=shown(what, 200),
        )

    def found(self, message: str, detail: str, severity: Severity | None = None) -> None:
        """Report code that the configuration carries or reaches."""
        self._report.found(
            "KERAS-CODE", self._subject, message, severity=severity, detail=shown(detail, 200)
        )


def _functions(configs: list[Any]) -> Iterator[str]:
    for config in configs:
        if isinstance(config, str):
            yield config
