"""Code that an artifact's files name and whose source the artifact carries.

A pickle that names `acme.Model` needs code that nobody has reviewed. Where the artifact carries
`acme.py` at a place from which its loader imports (a code path of an MLmodel, or the artifact's
root), that source was read with everything else; if nothing in it is held, the name need not be.

Always holds: this is a pure function of what the readers reported, and it only lowers the
severity of findings about code that nobody reviewed, never to less than medium. It does so only
where every Python file that could be imported from the same place was read in full and holds
nothing grave, no compiled or native code lies among them, no two of them differ in case alone, and
the name means a class or function that exactly one of them defines itself.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tidegate.scanners.claims import FileResult, resolved
from tidegate.scanners.interface import Finding, Severity

_READ = "; the artifact carries its source, which was read and holds nothing grave"
_OF_PICKLES_AND_LOADERS = frozenset({"PICKLE-UNREVIEWED-CODE", "MLMODEL-LOADER-UNKNOWN"})
# transformers' own code in a model's folder, and Triton's model.py: both are taken from the
# folder of the file that asks for them; what another repository gives is a finding of its own.
_RUNS_WHAT_LIES_BESIDE = frozenset({("CONFIG-REMOTE-CODE", "auto_map"), ("TRITON-CODE", "python")})
_ANSWERED = _OF_PICKLES_AND_LOADERS | {"MLMODEL-CODE-PATH", "CONFIG-REMOTE-CODE", "TRITON-CODE"}
_AS_SOURCE = frozenset({"python", "text", "empty"})
_COMPILED_NAMES = (".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".egg", ".whl", ".pyz")
_CACHED = re.compile(
    r"(?P<folder>(?:[^/]+/)*)__pycache__/(?P<name>[^/.]+)\.(?:cpython|pypy)-?\d+(?:\.opt-[12])?\.pyc"
)
_COMPILED = frozenset({"bytecode", "native"})


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder from which files below `base` import, "" for the artifact's root.

    `clean` says that all its code was read and none of it is grave.
    """

    base: str
    folder: str
    clean: bool


def settle_sources(results: Mapping[str, FileResult]) -> None:
    """Lower, in place, what is held only because nobody reviewed code that was now read."""
    _settle_compiled(results)
    if not any(
        finding.rule in _ANSWERED and finding.severity >= Severity.HIGH
        for result in results.values()
        for finding in result.findings
    ):
        return
    places = [_place("", "", results)]
    for path, result in results.items():
        for finding in result.findings:
            folder = _told_folder(path, finding)
            if folder is not None:
                places.append(_place(posixpath.dirname(path), folder, results))
    for path, result in results.items():
        for number, finding in enumerate(result.findings):
            if finding.severity >= Severity.HIGH and _is_answered(path, finding, places, results):
                message = finding.message.rstrip(".") + _READ + "."
                result.findings[number] = replace(
                    finding, severity=Severity.MEDIUM, message=message
                )


def _settle_compiled(results: Mapping[str, FileResult]) -> None:
    """Lower what Python itself compiled beside a source, where its byte code reaches nothing.

    Python writes such files when a model's code is imported from its folder. Python runs them
    instead of the source, so each is judged by its own byte code, and the source as well.
    """
    for path, result in results.items():
        found = _CACHED.fullmatch(path)
        if found is None or result.unread or set(result.formats) != {"bytecode"}:
            continue
        source = results.get(f"{found['folder'] or ''}{found['name']}.py")
        grave = [one for one in result.findings if one.severity >= Severity.HIGH]
        if source is None or not _is_read_source(source) or len(grave) != 1:
            continue
        (only,) = grave
        # Every further finding names what the byte code reaches.
        if only.rule == "CODE-BYTECODE" and only.detail is None and only.member is None:
            message = f"{only.message.rstrip('.')}{_READ}, as does its byte code."
            at = result.findings.index(only)
            result.findings[at] = replace(only, severity=Severity.MEDIUM, message=message)


def _told_folder(path: str, finding: Finding) -> str | None:
    """The folder that an MLmodel puts on the import path."""
    if finding.rule != "MLMODEL-CODE-PATH" or finding.member is not None:
        return None
    key, _, told = (finding.detail or "").partition("=")
    return resolved(path, told) if key == "code" and told else None


def _place(base: str, folder: str, results: Mapping[str, FileResult]) -> _Place:
    return _Place(base, folder, _is_clean(folder, results))


def _below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _is_clean(folder: str, results: Mapping[str, FileResult]) -> bool:
    """True where all code of the folder was read, is harmless, and shadows no known module."""
    from tidegate.scanners.callables import is_known_module

    sources = 0
    for path, result in results.items():
        if not _below(path, folder):
            continue
        lowered = path.lower()
        if lowered.endswith(_COMPILED_NAMES) or _COMPILED.intersection(result.formats):
            if _CACHED.fullmatch(path) is None or not _is_settled(result):
                return False
            continue
        if not lowered.endswith(".py") and "python" not in result.formats:
            continue
        sources += 1
        if is_known_module(path[len(folder) :].lstrip("/").split("/", 1)[0].removesuffix(".py")):
            return False
        if not _is_read_source(result):
            return False
    return sources > 0 and not _differ_in_case(folder, results)


def _with_parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:at]) for at in range(1, len(parts) + 1)]


def _differ_in_case(folder: str, results: Mapping[str, FileResult]) -> bool:
    """True where two folders or files of a place are one on a disk that knows no case."""
    spelled: dict[str, str] = {}
    for path in results:
        if _below(path, folder):
            for part in _with_parents(path):
                if spelled.setdefault(part.lower(), part) != part:
                    return True
    return False


def _is_read_source(result: FileResult) -> bool:
    return (
        set(result.formats) <= _AS_SOURCE
        and not result.unread
        and not any(finding.severity >= Severity.HIGH for finding in result.findings)
    )


def _is_settled(result: FileResult) -> bool:
    """Whether a compiled file was read and holds nothing grave."""
    return (
        set(result.formats) == {"bytecode"}
        and not result.unread
        and not any(finding.severity >= Severity.HIGH for finding in result.findings)
    )


def _is_answered(
    path: str, finding: Finding, places: list[_Place], results: Mapping[str, FileResult]
) -> bool:
    if finding.member is not None or not finding.detail:
        return False
    near = [place for place in places if _below(path, place.base)]
    if finding.rule in _OF_PICKLES_AND_LOADERS:
        return _is_defined(finding, near, results)
    if (finding.rule, finding.detail) in _RUNS_WHAT_LIES_BESIDE:
        return _place("", posixpath.dirname(path), results).clean
    if finding.rule != "MLMODEL-CODE-PATH":
        return False
    key, _, told = finding.detail.partition("=")
    target = resolved(path, told) if told else None
    if target is None:
        return False
    if key == "code":
        return any(place.clean for place in near if place.folder == target)
    beside = _place("", posixpath.dirname(path), results)
    return beside.clean and target in results and "python" in results[target].formats


def _is_defined(finding: Finding, places: list[_Place], results: Mapping[str, FileResult]) -> bool:
    """True where exactly one source that can be meant defines the name, and all is clean."""
    parts = (finding.detail or "").split(".")
    answers: set[str] = set()
    for place in places:
        for at in range(1, len(parts) + 1):
            file = _module_file(place.folder, parts[:at], results)
            if file is None:
                continue
            if not place.clean:
                return False
            if _gives(finding, results[file], ".".join(parts[at:]), place):
                answers.add(file)
    return len(answers) == 1


def _module_file(folder: str, module: list[str], results: Mapping[str, FileResult]) -> str | None:
    stem = posixpath.join(folder, *module)
    found = [path for path in (f"{stem}.py", f"{stem}/__init__.py") if path in results]
    # Of two packages of one name the one with an __init__.py is imported, wherever it lies.
    packages = (posixpath.join(folder, *module[:at], "__init__.py") for at in range(1, len(module)))
    whole = all(package in results for package in packages)
    return found[0] if whole and len(found) == 1 else None


def _gives(finding: Finding, result: FileResult, name: str, place: _Place) -> bool:
    if not name:
        # The module itself: it is imported, and no more.
        return finding.rule == "MLMODEL-LOADER-UNKNOWN" or " imports " in finding.message
    if f"class {name}" in result.defines:
        return True
    # Without a code path, a module of the same name that is installed goes first.
    if not place.folder and " calls " in finding.message:
        return False
    # A function is called while loading, or may be: then what it does counts at once.
    ordinary = all(one.severity < Severity.MEDIUM for one in result.findings)
    return f"def {name}" in result.defines and ordinary
