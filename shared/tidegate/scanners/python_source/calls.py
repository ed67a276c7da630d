"""Calls whose arguments decide what they do: open, getattr, imports, loaders, exec.

Always holds: an argument that can't be followed is taken for the worst that it may be, where the
call itself is one that only a known argument makes harmless.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tidegate.scanners.interface import Severity
from tidegate.scanners.python_source import capabilities as known
from tidegate.scanners.python_source.capabilities import When
from tidegate.scanners.python_source.resolve import Resolver
from tidegate.scanners.python_source.scopes import Scope
from tidegate.scanners.python_source.values import BUILT, UNKNOWN, Const, Partial, Ref, Values

_OPENERS = frozenset({"builtins.open", "io.open", "codecs.open", "io.FileIO", "io.open_code",
                      "gzip.open", "bz2.open", "lzma.open", "os.fdopen", "pathlib.Path.open",
                      "zipfile.ZipFile", "tarfile.open", "h5py.File",
                      "tensorflow.io.gfile.GFile", "tensorflow.gfile.GFile"})  # fmt: skip
_GETTERS = frozenset({"builtins.getattr", "inspect.getattr_static", "operator.attrgetter",
                      "operator.methodcaller"})  # fmt: skip
_IMPORTERS = frozenset({"builtins.__import__", "importlib.import_module", "importlib.__import__",
                        "builtins.reload", "importlib.util.find_spec"})  # fmt: skip
_RUNNERS = frozenset({"builtins.eval", "builtins.exec", "builtins.compile"})
_YAML = frozenset({"yaml.load", "yaml.load_all"})
_SAFE_YAML = frozenset(
    {"yaml.SafeLoader", "yaml.CSafeLoader", "yaml.BaseLoader", "yaml.CBaseLoader"}
)
_MAX_NESTED = 64 << 10
_ABSOLUTE = ("/", "~", "\\\\", "C:", "c:", "%APPDATA%", "$HOME")
_TELLING_FILES = frozenset({"write", "delete", "folder"})


@dataclass(frozen=True, slots=True)
class Remark:
    """What a call was seen to do; the capability's own weight counts where none stands here."""

    capability: str
    detail: str
    severity: Severity | None = None
    why: str = ""


class CallJudge:
    """Judges the calls of one source."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def judge(self, node: ast.Call, scope: Scope, when: When) -> Iterator[Remark]:
        """All that the call may do."""
        yield from self._keywords(node, scope)
        yield from self._queries(node, scope)
        for called in self._resolver.values(node.func, scope):
            if isinstance(called, Ref):
                path = known.plain_path(called.path)
                yield from self._by_path(path, called, node, scope, when)
            elif called is BUILT:
                yield Remark("escape", "a name made at run time", Severity.HIGH)

    def _keywords(self, node: ast.Call, scope: Scope) -> Iterator[Remark]:
        for keyword in node.keywords:
            if keyword.arg == "trust_remote_code":
                value = self._resolver.values(keyword.value, scope)
                if any(isinstance(v, Const) and v.value for v in value):
                    yield Remark("remote-code", "trust_remote_code")
            elif keyword.arg == "shell":
                if self._resolver.constant(keyword.value, scope) is not False:
                    yield Remark("process", "(something)(shell=...)")
            elif keyword.arg in {"preexec_fn", "executable"} and len(node.args) >= 1:
                yield Remark("process", f"(something)({keyword.arg}=...)")

    def _by_path(
        self, path: str, called: Ref, node: ast.Call, scope: Scope, when: When
    ) -> Iterator[Remark]:
        special = self._special(path)
        if special is not None:
            yield from special(path, node, scope, when)
            return
        if path.endswith((".__getattribute__", ".__getattr__")):
            yield from self._getting(path, node, scope, when)
            return
        what = known.capability_of(path, made=called.made)
        if known.reads_addresses(path) and self._is_address(node, scope):
            yield Remark("request", path)
        if what is None:
            return
        if path.startswith("sys.path.") and self._leads_out(node, scope):
            yield Remark(what.name, path, Severity.HIGH, "outside the model's folder")
        elif path.startswith(("os.environ.", "os.putenv")) and self._steers(node, scope):
            yield Remark(what.name, path, Severity.HIGH, "which steers other programs")
        elif what.name == "unpickle" and self._leads_out(node, scope):
            yield Remark(what.name, path, Severity.HIGH, "from outside the model's folder")
        elif what.name in _TELLING_FILES and self._leads_out(node, scope):
            yield Remark(what.name, path, Severity.HIGH, "outside the model's folder")
        elif what.name == "unpickle-bytes" and self._argument_is_known(node, scope):
            yield Remark(what.name, path, Severity.HIGH, "from bytes that the source carries")
        elif what.name == "unpickle" and self._is_remote(node, scope):
            yield Remark(what.name, path, Severity.HIGH, "from an address")
        else:
            yield Remark(what.name, path)

    def _special(self, path: str) -> Callable[..., Iterator[Remark]] | None:
        if path in _OPENERS:
            return self._opening
        if path in _GETTERS:
            return self._getting
        if path in _IMPORTERS:
            return self._importing
        if path in _RUNNERS:
            return self._running
        if path in _YAML:
            return self._yaml
        if path in {"numpy.load", "numpy.lib.npyio.load"}:
            return self._numpy
        if path in {"builtins.setattr", "builtins.delattr"}:
            return self._setting
        if path == "builtins.print":
            return self._nothing
        return None

    def _nothing(self, path: str, node: ast.Call, scope: Scope, when: When) -> Iterator[Remark]:  # noqa: ARG002
        yield from ()

    # Files

    def _opening(self, path: str, node: ast.Call, scope: Scope, when: When) -> Iterator[Remark]:  # noqa: ARG002
        method = path == "pathlib.Path.open"
        given = [k.value for k in node.keywords if k.arg in {"mode", "filemode"}]
        given = given or node.args[0 if method else 1 : 1 if method else 2]
        modes: Values = self._resolver.values(given[0], scope) if given else (Const("r"),)
        writing = any(
            set(str(mode.value)) & set("wax+") if isinstance(mode, Const) else False
            for mode in modes
        )
        if not writing:
            unsure = not all(isinstance(mode, Const) for mode in modes)
            yield Remark("temporary" if unsure else "read", path)
        elif self._leads_out(node, scope):
            yield Remark("write", path, Severity.HIGH, "outside the model's folder")
        else:
            yield Remark("write", path)

    def _leads_out(self, node: ast.Call, scope: Scope) -> bool:
        """Whether a path that stands in the source is absolute, or climbs."""
        parts: list[ast.expr] = list(node.args)
        func = node.func
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
            parts += func.value.args
        for part in parts:
            for value in self._resolver.values(part, scope):
                text = value.value if isinstance(value, Const) else None
                text = value.prefix if isinstance(value, Partial) else text
                if isinstance(text, bytes):
                    text = text.decode("latin-1")
                if isinstance(text, str) and (text.startswith(_ABSOLUTE) or ".." in text):
                    return True
            if isinstance(part, ast.Call) and self._is_home(part, scope):
                return True
        return False

    def _is_home(self, node: ast.Call, scope: Scope) -> bool:
        for value in self._resolver.values(node.func, scope):
            if isinstance(value, Ref) and value.path in {
                "os.path.expanduser", "pathlib.Path.home", "os.path.expandvars",
            }:  # fmt: skip
                return True
            if isinstance(value, Ref) and value.path in {
                "os.path.join", "pathlib.Path", "builtins.open", "io.open",
            }:  # fmt: skip
                return self._leads_out(node, scope)
        return False

    # Names made at run time

    def _getting(self, path: str, node: ast.Call, scope: Scope, when: When) -> Iterator[Remark]:  # noqa: ARG002
        for value in self._resolver.values(node, scope):
            if isinstance(value, Ref) and not value.made:
                what = known.capability_of(value.path)
                if what is not None:
                    yield Remark(what.name, known.plain_path(value.path))
        first = 0 if path.startswith(("operator.", "object.")) or len(node.args) < 2 else 1
        if len(node.args) <= first:
            return
        names = self._resolver.values(node.args[first], scope)
        owners: Values = (UNKNOWN,) if first == 0 else self._resolver.values(node.args[0], scope)
        if first == 0 and not path.startswith("operator."):
            owners = (Ref(path.rpartition(".")[0]),)
        unsure = not all(isinstance(name, Const) for name in names)
        for owner in owners:
            if isinstance(owner, Ref) and known.is_handed_on(owner.path) and unsure:
                yield Remark("escape", f"{owner.path}.(something)")
        if BUILT in names:
            yield Remark("escape", "an attribute whose name is made at run time", Severity.HIGH)
        for name in names:
            text = name.value if isinstance(name, Const) else None
            for part in str(text).split(".") if isinstance(text, str) else ():
                told = known.telling_attribute(part)
                if told is not None:
                    yield Remark(told.name, f"(something).{part}")

    def _setting(self, path: str, node: ast.Call, scope: Scope, when: When) -> Iterator[Remark]:  # noqa: ARG002
        if len(node.args) < 2:
            return
        from tidegate.scanners.callables import is_standard_library

        for owner in self._resolver.values(node.args[0], scope):
            if isinstance(owner, Ref) and not owner.made and not owner.path.startswith("."):
                grave = Severity.HIGH if is_standard_library(owner.path) else Severity.MEDIUM
                yield Remark("persistence", f"{path} on {owner.path}", grave)
        for name in self._resolver.values(node.args[1], scope):
            if isinstance(name, Const) and name.value in {"__code__", "__globals__"}:
                yield Remark("escape", f"(something).{name.value}")

    def _importing(self, path: str, node: ast.Call, scope: Scope, when: When) -> Iterator[Remark]:  # noqa: ARG002
        if not node.args:
            yield Remark("import", path)
            return
        for name in self._resolver.values(node.args[0], scope):
            if isinstance(name, Const) and isinstance(name.value, str):
                module = name.value
                if path.endswith("find_spec") or not (
                    known.is_grave_import(module) or known.is_handed_on(module)
                ):
                    continue
                what = known.capability_of(f"{module}.x") or known.capability("escape")
                yield Remark(what.name, f"{path}({module!r})", Severity.HIGH)
            elif (
                (isinstance(name, Ref) and path.endswith("reload"))
                or path.endswith("find_spec")
                or _stays_inside(name)
            ):
                yield Remark("interpreter", path)
            else:
                yield Remark("import", path)

    def _running(self, path: str, node: ast.Call, scope: Scope, when: When) -> Iterator[Remark]:
        code = self._resolver.constant(node.args[0], scope) if node.args else None
        if isinstance(code, bytes):
            code = code.decode("utf-8", errors="replace")
        if path != "builtins.eval" or not isinstance(node.func, ast.Name):
            # What a statement binds can't be followed, and nobody honest takes such a detour.
            code = None
        if not isinstance(code, str) or len(code) > _MAX_NESTED:
            yield Remark("execution", path)
            return
        from tidegate.scanners.python_source.judging import judge_tree
        from tidegate.scanners.python_source.text import SourceError, parsed

        try:
            inner = judge_tree(parsed(code), at=when)
        except SourceError:
            yield Remark("execution", path, why="what it runs can't be read")
            return
        grave = [found for found in inner if found.severity >= Severity.HIGH]
        for found in grave:
            yield Remark("execution", path, found.severity, f"which reaches {found.detail}")
        if not grave:
            yield Remark("execution", path, Severity.MEDIUM, "of a text that does no harm")

    # Loaders

    def _yaml(self, path: str, node: ast.Call, scope: Scope, when: When) -> Iterator[Remark]:  # noqa: ARG002
        given = [k.value for k in node.keywords if k.arg == "Loader"] or node.args[1:2]
        loaders = self._resolver.values(given[0], scope) if given else (UNKNOWN,)
        if not all(isinstance(v, Ref) and v.path in _SAFE_YAML for v in loaders):
            grave = Severity.HIGH if self._argument_is_known(node, scope) else None
            yield Remark("unpickle", path, grave, "with a loader that may build any object")

    def _numpy(self, path: str, node: ast.Call, scope: Scope, when: When) -> Iterator[Remark]:  # noqa: ARG002
        given = [k.value for k in node.keywords if k.arg == "allow_pickle"] or node.args[2:3]
        if given and self._resolver.constant(given[0], scope) is not False:
            yield Remark("unpickle", path, why="with allow_pickle")
        else:
            yield Remark("read", path)

    def _argument_is_known(self, node: ast.Call, scope: Scope) -> bool:
        values = self._resolver.values(node.args[0], scope) if node.args else ()
        return any(
            value is BUILT or (isinstance(value, Const) and isinstance(value.value, (str, bytes)))
            for value in values
        )

    def _steers(self, node: ast.Call, scope: Scope) -> bool:
        names = [keyword.arg or "" for keyword in node.keywords]
        for part in node.args[:1]:
            keys = part.keys if isinstance(part, ast.Dict) else [part]
            for key in keys:
                names += [
                    str(value.value) if isinstance(value, Const) else ""
                    for value in (self._resolver.values(key, scope) if key else ())
                ]
        return any(known.steers_programs(name) for name in names)

    def _is_address(self, node: ast.Call, scope: Scope) -> bool:
        for part in node.args[:1]:
            for value in self._resolver.values(part, scope):
                text = value.value if isinstance(value, Const) else None
                text = value.prefix if isinstance(value, Partial) else text
                if isinstance(text, str) and "://" in text:
                    return True
        return False

    def _queries(self, node: ast.Call, scope: Scope) -> Iterator[Remark]:
        """DataFrame.query and .eval call what stands behind an @ in their text."""
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in {"query", "eval"}:
            return
        for part in node.args[:1]:
            text = self._resolver.constant(part, scope)
            if isinstance(text, str) and (("@" in text and "(" in text) or "__" in text):
                yield Remark("execution", f"(something).{node.func.attr}")

    def _is_remote(self, node: ast.Call, scope: Scope) -> bool:
        for part in node.args[:1]:
            for value in self._resolver.values(part, scope):
                text = value.value if isinstance(value, Const) else None
                text = value.prefix if isinstance(value, Partial) else text
                if isinstance(text, str) and "://" in text:
                    return True
                if isinstance(value, Ref) and value.made:
                    what = known.capability_of(value.path)
                    if what is not None and what.rule == "CODE-NETWORK":
                        return True
                if value is BUILT:
                    return True
        return False


def _stays_inside(name: object) -> bool:
    """Whether what is imported lies beside the file, or in a known library."""
    if not isinstance(name, Partial):
        return False
    from tidegate.scanners.callables import is_known_module, is_standard_library

    top = name.prefix.split(".", 1)[0]
    if name.prefix.startswith("."):
        return True
    return "." in name.prefix and is_known_module(top) and not is_standard_library(top)
