"""Project and lock files (pyproject.toml, setup.cfg, Pipfile, poetry.lock, uv.lock, ...): whether
anything in them is installed from elsewhere than the package index.

They are read line by line, by the keys under which their tools take an address or a path, so
that a file that is broken for one tool and not for another hides nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from tidegate.scanners.interface import Report, Severity, Subject
from tidegate.scanners.streams import shown

NAMES = frozenset(
    {"pyproject.toml", "setup.cfg", "pipfile", "pipfile.lock", "poetry.lock", "uv.lock",
     "pdm.lock", "uv.toml", "pip.conf", "pip.ini", "pylock.toml", "poetry.toml"}
)  # fmt: skip
_KEY = re.compile(
    r"(?:^|[\s{,\[])[\"']?(?P<key>git|hg|svn|registry|index|index[-_]url|extra[-_]index[-_]url"
    r"|find[-_]links|path|file|directory|dependency_links|editable|virtual|url|subdirectory"
    r"|trusted[-_]host|default[-_]index)[\"']?\s*[=:]\s*(?P<value>[^\n]*)",
    re.IGNORECASE,
)
_DIRECT = re.compile(r"[\w.\])\"']\s*@\s*(?:[a-z+]+://|git\+|file:|\.{0,2}/)", re.IGNORECASE)
_KNOWN = re.compile(
    r"[\"'\s\[]*https://(?:pypi\.org/(?:simple|project|p)?|files\.pythonhosted\.org/"
    r"|pypi\.python\.org/simple)[\w./+%#=~-]*[\"'\s,}\]]*",
)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|git@|\bgit\+", re.IGNORECASE)
_PATHS = frozenset({"path", "file", "directory", "editable", "virtual", "subdirectory"})
_OUTSIDE = re.compile(r"^[\"'\s]*(?:/|~|[a-zA-Z]:[\\/]|\\\\|(?:\.\./))")
_ASKS_FOR = re.compile(r"git|hg|svn|registry|.*index.*|find.*|dependency.*|trusted.*")
_IN_TREE = re.compile(r"^\s*backend-path\s*=", re.MULTILINE)


def report_project(text: str, subject: Subject, report: Report) -> None:
    """A finding for each line that points away from the package index."""
    name = subject.name.lower()
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if plain.startswith(("#", ";")):
            continue
        if _DIRECT.search(plain) or any(_leads_away(match, name) for match in _KEY.finditer(plain)):
            report.found(
                "REQUIREMENTS-ELSEWHERE",
                subject,
                f"Line {number} points away from the package index: {shown(plain)}",
                detail=shown(plain, 200),
            )
    if name == "pyproject.toml":
        from tidegate.scanners.requirements import report_imitations

        report_imitations(_dependencies(text), subject, report)
    if _IN_TREE.search(text):
        report.found(
            "REQUIREMENTS-ELSEWHERE",
            subject,
            "The project is built by code of its own (backend-path), which an installation runs.",
            severity=Severity.MEDIUM,
            detail="backend-path",
        )


def _dependencies(text: str) -> Iterator[str]:
    """Each requirement of a project, where the file can be parsed."""
    try:
        project = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    optional = _at(project, "project", "optional-dependencies")
    lists = [
        _at(project, "project", "dependencies"),
        _at(project, "build-system", "requires"),
        *(optional.values() if isinstance(optional, dict) else ()),
        _at(project, "tool", "poetry", "dependencies"),
    ]
    for entries in lists:
        for entry in entries if isinstance(entries, list | dict) else ():
            if isinstance(entry, str):
                yield entry


def _at(table: object, *keys: str) -> object:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _leads_away(match: re.Match[str], name: str) -> bool:
    key, value = match["key"].lower().replace("_", "-"), match["value"]
    if key in _PATHS:
        return _OUTSIDE.match(value) is not None or _ADDRESS.search(value) is not None
    if key == "url" and name == "setup.cfg":
        # The project's own home page.
        return False
    if _KNOWN.fullmatch(value) or (_KNOWN.match(value) and not _ADDRESS.search(_rest(value))):
        return False
    if _ADDRESS.search(value):
        return True
    return _ASKS_FOR.fullmatch(key) is not None and _OUTSIDE.match(value) is not None


def _rest(value: str) -> str:
    known = _KNOWN.match(value)
    return value[known.end() :] if known else value
