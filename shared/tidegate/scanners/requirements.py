"""Requirements files: whether anything is installed from elsewhere than the package index.

The lines are taken as pip takes them: continued lines joined, comments dropped, options also in
their abbreviated forms. A name that is made to be taken for a popular package's is held; which
versions they name is the dependency check's matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Severity, Subject
from tidegate.scanners.project_files import NAMES, report_project
from tidegate.scanners.squatting import imitated, named_package
from tidegate.scanners.streams import shown
from tidegate.scanners.text import read_text

_LONG = (
    "--index-url", "--pypi-url", "--extra-index-url", "--find-links", "--editable",
    "--trusted-host",
)  # fmt: skip
# pip decodes the file by such a line, as Python does with a source.
_ENCODING = re.compile(r"\s*#.*coding[:=]\s*([-\w.]+)")
_PLAIN_ENCODINGS = frozenset({"utf-8", "utf8", "ascii", "latin-1", "iso-8859-1"})
_BUILDING = ("--config-settings", "--global-option", "--install-option", "--build-option")
_INCLUDING = ("--requirement", "--constraint")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:/|(?:^|[\s@])(?:file|git|hg|svn|bzr)[+:]")
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar|tar\.gz|tgz|tar\.bz2|tbz|tar\.xz|txz)(?:[\s;\[#]|$)", re.I)
_FROM_ENVIRONMENT = re.compile(r"\$\{[A-Z0-9_]+\}")
_LOCAL = re.compile(r"^(?:[./~\\]|[a-zA-Z]:[\\/])|^[^\s;=<>!~\[@]*[/\\]")


class RequirementsScanner(Scanner):
    """Reads pip's requirements files."""

    name = "requirements"
    formats = frozenset({"requirements"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """Report each line that points elsewhere."""
        text = read_text(subject, report)
        if text is None:
            return
        if subject.name.lower() in NAMES:
            report_project(text, subject, report)
            return
        lines = text.splitlines()
        for line in lines[:2]:
            said = _ENCODING.match(line)
            if said is not None and said[1].lower() not in _PLAIN_ENCODINGS:
                report.found(
                    "REQUIREMENTS-ELSEWHERE",
                    subject,
                    f"pip reads this file as {shown(said[1])}, in which it says something else.",
                    detail=shown(said[1]),
                )
        report_elsewhere(lines, subject, report)


def report_elsewhere(lines: list[str], subject: Subject, report: Report) -> None:
    """A finding for each line that points away from the package index."""
    logical = list(_logical_lines(lines))
    report_imitations((line for _, line in logical), subject, report)
    for number, line in logical:
        if (why := elsewhere(line)) is not None:
            report.found(
                "REQUIREMENTS-ELSEWHERE",
                subject,
                f"Line {number} {why}: {shown(line)}",
                detail=shown(line, 200),
            )
        elif any(option in line for option in _BUILDING):
            report.found(
                "REQUIREMENTS-ELSEWHERE",
                subject,
                f"Line {number} hands options to the package's own build: {shown(line)}",
                severity=Severity.MEDIUM,
                detail=shown(line, 200),
            )


def report_imitations(lines: Iterable[str], subject: Subject, report: Report) -> None:
    """A finding for each requirement whose name imitates a popular package's."""
    for line in lines:
        name = None if line.startswith("-") else named_package(line)
        if name is not None and (meant := imitated(name)) is not None:
            report.found(
                "REQUIREMENTS-IMITATION",
                subject,
                f"The package {shown(name)} is not {meant}, and is named to be taken for it.",
                # A number behind the name may as well mark a later edition of the same package.
                severity=Severity.MEDIUM if name.lower().rstrip("-_.0123456789") == meant else None,
                detail=shown(name, 200),
            )


def _logical_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Each line with its number, continued ones as one, without comments."""
    pending, first = "", 0
    for number, line in enumerate(lines, 1):
        first = first or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1]
            continue
        whole = re.sub(r"(^|\s+)#.*$", "", pending + line).strip()
        if whole:
            yield first, whole
        pending, first = "", 0
    if pending.strip():
        yield first, pending.strip()


def elsewhere(line: str) -> str | None:
    """How the requirement line points away from the package index, or None where it does not."""
    words = line.replace("'", "").replace('"', "").split()
    for position, word in enumerate(words):
        name, _, value = word.partition("=")
        if name.startswith("--") and len(name) > 3:
            following = value or (words[position + 1] if position + 1 < len(words) else "")
            if any(option.startswith(name) for option in _LONG):
                return "names another place to install from"
            if any(option.startswith(name) for option in _INCLUDING) and _leads_out(following):
                return "includes a file from elsewhere"
        elif re.match(r"-[ief]", word):
            return "names another place to install from"
        elif re.match(r"-[rc]", word):
            following = word[2:] or (words[position + 1] if position + 1 < len(words) else "")
            if _leads_out(following.lstrip("=")):
                return "includes a file from elsewhere"
    if line.startswith("-"):
        return None
    if _FROM_ENVIRONMENT.search(line):
        return "takes what it installs from the environment"
    spec = re.split(r"\s+--", line.split(";", 1)[0], maxsplit=1)[0].strip()
    if _URL.search(line) or re.search(r"(?<![<>=!~])@", spec):
        return "installs from an address"
    if _LOCAL.match(spec) or _ARCHIVE.search(spec):
        return "installs a local file or folder"
    return None


def _leads_out(path: str) -> bool:
    """Whether an included file is none that is read as requirements too."""
    plain = path.replace("\\", "/")
    name = plain.rsplit("/", 1)[-1].lower()
    if not name.endswith(".txt") or not ("requirement" in name or "constraint" in name):
        return True
    return "$" in plain or ":" in plain or plain.startswith(("/", "~")) or ".." in plain.split("/")
