# ruff: noqa: N802 - handlers are named for the kinds of syntax nodes
"""Judges the places of one source: what they reach, and when they run.

Always holds: of several values that an expression may have, the gravest counts.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from tidegate.scanners.interface import Severity
from tidegate.scanners.python_source import capabilities as known
from tidegate.scanners.python_source.calls import CallJudge, Remark
from tidegate.scanners.python_source.capabilities import Capability, When
from tidegate.scanners.python_source.resolve import Resolver
from tidegate.scanners.python_source.scopes import Outline, Owner, Site, Use, outline
from tidegate.scanners.python_source.values import BUILT, NAMESPACE, UNKNOWN, Const, Ref, Value
from tidegate.scanners.python_source.when import moments
from tidegate.scanners.streams import shown

_MOMENT = {
    When.IMPORTED: "when the file is imported",
    When.LOADED: "when the model is loaded or used",
    When.CALLED: "where it is called",
}
# Attributes of imported modules that sources of their own kind set on themselves.
_ORDINARY = frozenset({"sys.argv", "sys.path", "sys.stdout", "sys.stderr", "warnings.filters",
                       "warnings.showwarning", "sys.dont_write_bytecode"})  # fmt: skip
# Code, and format strings that step from a value to Python's internals.
_CODE_IN_TEXT = re.compile(
    r"__import__\s*\(\s*['\"][\w.]+['\"]\s*\)\s*\."
    r"|\{[\w.\[\]]{0,80}__(?:globals|init|subclasses|builtins|mro|base|code)__"
)
_OWN_NAMESPACE = frozenset({"__name__", "__package__"})


def _may_be_anything(value: Value) -> bool:
    """Whether the value may be a module of somebody who lends out what it imports."""
    if not isinstance(value, Ref):
        return value is UNKNOWN
    from tidegate.scanners.callables import is_known_module

    if value.path.startswith("builtins.") and not value.made:
        return False
    return value.made or not is_known_module(value.path)


@dataclass(frozen=True, slots=True)
class SourceFinding:
    """One thing that a source does. `detail` is what it reaches, for approvals and tools."""

    rule: str
    severity: Severity
    line: int
    message: str
    detail: str


def judge_tree(
    tree: ast.Module, *, at: When = When.IMPORTED, name: str = ""
) -> list[SourceFinding]:
    """All that the source does, the gravest of each kind, in the order of its lines.

    `at` is when the source as a whole runs; `name` is the file's own name.
    """
    return _Judge(outline(tree), at, is_hubconf=name == "hubconf.py").judge()


class _Judge:
    def __init__(self, found: Outline, at: When, *, is_hubconf: bool) -> None:
        self._outline = found
        self._resolver = Resolver(found)
        self._calls = CallJudge(self._resolver)
        self._when = moments(found, is_hubconf=is_hubconf)
        self._at = at
        self._gravest: dict[tuple[str, str], SourceFinding] = {}
        self._handled: set[int] = set()

    def judge(self) -> list[SourceFinding]:
        for site in self._outline.sites:
            judge = getattr(self, f"_on_{type(site.node).__name__}")
            judge(site.node, site)
        if self._resolver.gave_up:
            message = "The source passes values on for longer than they can be followed."
            self._add("CODE-OBFUSCATED", Severity.HIGH, 1, "a name without end", message)
        return sorted(self._gravest.values(), key=lambda found: (found.line, found.rule))

    def _moment(self, owner: Owner) -> When:
        when = self._when.get(owner, When.CALLED)
        return self._at if when is When.IMPORTED else when

    def _add(self, rule: str, severity: Severity, line: int, detail: str, message: str) -> None:
        before = self._gravest.get((rule, detail))
        if before is None or before.severity < severity:
            found = SourceFinding(rule, severity, line, message, shown(detail, 200))
            self._gravest[rule, detail] = found

    def _reached(self, what: Capability, path: str, site: Site, severity: Severity | None = None,
                 why: str = "") -> None:  # fmt: skip
        when = self._moment(site.owner)
        grave = what.severity(when) if severity is None else severity
        line = getattr(site.node, "lineno", 1)
        because = f", {why}" if why else ""
        message = f"Line {line} {what.verb} ({shown(path)}{because}), {_MOMENT[when]}."
        self._add(what.rule, grave, line, path, message)

    def _remark(self, remark: Remark, site: Site) -> None:
        what = known.capability(remark.capability)
        self._reached(what, remark.detail, site, remark.severity, remark.why)

    # Names and attributes

    def _on_Name(self, node: ast.Name, site: Site) -> None:
        self._judge_reference(node, site)

    def _on_Attribute(self, node: ast.Attribute, site: Site) -> None:
        self._judge_reference(node, site)
        told = known.telling_attribute(node.attr)
        if told is None:
            return
        values = self._resolver.values(node.value, site.scope)
        counts = told.reference or site.use is not Use.NAMED
        if counts and (told.name == "escape" or any(_may_be_anything(v) for v in values)):
            self._reached(told, f"(something).{node.attr}", site)

    def _judge_reference(self, node: ast.expr, site: Site) -> None:
        for value in self._resolver.values(node, site.scope):
            if not isinstance(value, Ref):
                continue
            path = known.plain_path(value.path)
            what = known.capability_of(path, made=value.made)
            if what is None and isinstance(node, ast.Name) and _may_be_anything(value):
                # A name from a module that nobody knows, called like what that may have imported.
                what = known.telling_attribute(path.rpartition(".")[2])
                what = what if what is not None and what.reference else None
            # A call looks at its arguments too, and speaks for the name that it calls.
            speaks = (
                site.use is Use.CALLED and known.capability_of(path, made=value.made) is not None
            )
            counts = not speaks and (
                site.use is Use.HANDED or (what is not None and what.reference)
            )
            if what is not None and counts:
                self._reached(what, path, site)
            if site.use is Use.HANDED and not value.made and known.is_handed_on(path):
                self._reached(known.capability("escape"), path, site,
                              why="as a module that is handed on")  # fmt: skip

    def _on_Constant(self, node: ast.Constant, site: Site) -> None:
        text = node.value
        if isinstance(text, bytes):
            text = text.decode("latin-1")
        if isinstance(text, str) and known.is_telling_text(text):
            self._reached(known.capability("escape"), f"the text {text}", site)
        if isinstance(text, str) and (_CODE_IN_TEXT.search(text) or text.startswith("module://")):
            why = "as a text that somebody may evaluate"
            self._reached(known.capability("execution"), text[:100], site, why=why)
        if isinstance(text, str) and known.is_sensitive(text):
            why = "a place of secrets, or where programs start by themselves"
            self._reached(known.capability("credentials"), text[:100], site, why=why)

    def _on_Dict(self, node: ast.Dict, site: Site) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "trust_remote_code":
                told = self._resolver.values(value, site.scope)
                if any(isinstance(v, Const) and v.value for v in told):
                    self._reached(known.capability("remote-code"), "trust_remote_code", site)

    # Imports

    def _on_Import(self, node: ast.Import, site: Site) -> None:
        for alias in node.names:
            bound = alias.asname or alias.name.split(".", 1)[0]
            self._judge_import(alias.name, bound, site)

    def _judge_import(self, module: str, bound: str, site: Site) -> None:
        if known.is_grave_import(module) and bound not in self._outline.read:
            what = known.capability_of(f"{module}.x") or known.capability("escape")
            self._reached(what, module, site, why="imported for other files to use")

    def _on_ImportFrom(self, node: ast.ImportFrom, site: Site) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            path = f"{module}.{alias.name}"
            if alias.name == "*":
                if known.is_grave_import(module) or known.is_handed_on(module):
                    what = known.capability_of(f"{module}.x") or known.capability("escape")
                    self._reached(what, path, site)
                continue
            if node.level == 0:
                reached = known.capability_of(path)
                if reached is not None and reached.reference:
                    self._reached(reached, known.plain_path(path), site)
                elif known.is_handed_on(path):
                    self._judge_import(path, alias.asname or alias.name, site)
            elif (told := known.telling_attribute(alias.name)) is not None:
                self._reached(told, path, site)

    # Calls, items, assignments

    def _on_Call(self, node: ast.Call, site: Site) -> None:
        for remark in self._calls.judge(node, site.scope, self._moment(site.owner)):
            self._remark(remark, site)

    def _on_Subscript(self, node: ast.Subscript, site: Site) -> None:
        key = self._resolver.values(node.slice, site.scope)
        for owner in self._resolver.values(node.value, site.scope):
            whole = all(isinstance(part, Const) for part in key)
            if isinstance(owner, Ref) and owner.path.endswith(".__dict__") and not whole:
                home = owner.path[: -len(".__dict__")]
                if known.is_handed_on(home):
                    self._reached(known.capability("escape"), f"{home}.(something)", site)
            elif isinstance(owner, Ref) and owner.path in {"builtins", "sys.modules"}:
                if (not whole and BUILT in key) or (owner.path == "builtins" and not whole):
                    self._reached(known.capability("escape"), f"{owner.path}[(something)]", site)
            elif owner is NAMESPACE and BUILT in key:
                self._reached(known.capability("escape"), "globals()[(something)]", site)
        if isinstance(node.ctx, ast.Load):
            self._judge_item(node, site)
        else:
            self._judge_stored_item(node, site)

    def _judge_item(self, node: ast.Subscript, site: Site) -> None:
        for value in self._resolver.values(node, site.scope):
            if isinstance(value, Ref) and not value.made:
                what = known.capability_of(value.path)
                if what is not None and what.reference and site.use is not Use.CALLED:
                    self._reached(what, known.plain_path(value.path), site)
                elif known.is_handed_on(value.path) and site.use is Use.HANDED:
                    self._reached(known.capability("escape"), value.path, site)
        for owner in self._resolver.values(node.value, site.scope):
            if isinstance(owner, Ref) and owner.path in {"os.environ", "os.environb"}:
                self._reached(known.capability("environment"), "os.environ", site)

    def _judge_stored_item(self, node: ast.Subscript, site: Site) -> None:
        for owner in self._resolver.values(node.value, site.scope):
            if not isinstance(owner, Ref):
                continue
            if owner.path == "os.environ":
                variable = self._resolver.constant(node.slice, site.scope)
                grave = isinstance(variable, str) and known.steers_programs(variable)
                self._reached(known.capability("set-environment"),
                              f"os.environ[{variable!r}]", site, Severity.HIGH if grave else None,
                              "which steers other programs" if grave else "")  # fmt: skip
            elif owner.path == "sys.modules":
                name = node.slice.id if isinstance(node.slice, ast.Name) else ""
                if name not in _OWN_NAMESPACE:
                    what, why = known.capability("persistence"), "it takes a module's place"
                    self._reached(what, "sys.modules[...]", site, Severity.HIGH, why)
            elif owner.path.endswith(".__dict__") or owner.path == "builtins":
                self._reached(known.capability("persistence"), owner.path, site, Severity.HIGH)

    def _on_Assign(self, node: ast.Assign, site: Site) -> None:
        pending = list(node.targets)
        while pending:
            target = pending.pop()
            if isinstance(target, (ast.Tuple, ast.List)):
                pending.extend(target.elts)
            elif isinstance(target, ast.Attribute):
                self._judge_patch(target, site)

    def _on_AugAssign(self, node: ast.AugAssign, site: Site) -> None:
        if isinstance(node.target, ast.Attribute):
            self._judge_patch(node.target, site)

    def _judge_patch(self, target: ast.Attribute, site: Site) -> None:
        """Something is put into a module that others use."""
        if target.attr in {"__code__", "func_code", "__globals__", "__builtins__"}:
            self._reached(known.capability("escape"), f"(something).{target.attr}", site)
        for owner in self._resolver.values(target.value, site.scope):
            if not isinstance(owner, Ref) or owner.made or owner.path.startswith("."):
                continue
            from tidegate.scanners.callables import is_standard_library

            path = f"{owner.path}.{target.attr}"
            grave = is_standard_library(owner.path) and path not in _ORDINARY
            self._reached(known.capability("persistence"), path, site,
                          Severity.HIGH if grave else Severity.MEDIUM,
                          "which others use and which is exchanged here")  # fmt: skip
