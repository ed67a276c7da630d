"""The lines of a notebook's code that are no Python: magics and shell commands.

Each is judged, and taken out, so that what is left is Python. The lists of magics and commands
stand in `data/notebook_lines.json`; what stands in none of them is held.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tidegate.scanners.interface import Report, Severity, Subject
from tidegate.scanners.python_source.capabilities import steers_programs
from tidegate.scanners.python_source.text import SourceError, parsed
from tidegate.scanners.requirements import elsewhere
from tidegate.scanners.streams import shown

_LINE = re.compile(
    r"^(\s*)(?:[\w.,()\[\] ]{1,200}?=\s*)?(%{1,2}(?=[A-Za-z_])|!{1,2}(?=\s*\S))(.*)$"
)
# Magics that IPython hands to the shell, and the settings that %config takes without running more.
_ALIASES = frozenset({"ls", "ll", "cat", "mkdir", "cp", "mv", "rm", "rmdir", "man", "more", "less"})
_SETTING = re.compile(r"[\w.]+(?:\s*=\s*[\w.\s,'\"\[\]{}:+-]*)?")
_HELP = re.compile(r"^\s*(?:\?{1,2}[\w.*]+|[\w.*]+\?{1,2})\s*$")
_SEPARATORS = re.compile(r"&&|\|\||[;|&\n]")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


_SCRIPT = re.compile(r"<\s*script|\bon[a-z]{3,20}\s*=\s*[\"'(\w]|javascript\s*:|\\write18", re.I)
_WRITING = frozenset({"logstart", "notebook", "history", "hist", "save"})


def _leads_away(argument: str) -> bool:
    """Whether some path among the words of a magic lies outside the notebook's folder."""
    return _ADDRESS.search(argument) is not None or any(
        word.startswith(("/", "~", "\\")) or ".." in word for word in argument.split()
    )


@dataclass(frozen=True, slots=True)
class _Lists:
    python_magics: frozenset[str]
    quiet_magics: frozenset[str]
    local_magics: frozenset[str]
    text_magics: frozenset[str]
    shells: frozenset[str]
    extensions: frozenset[str]
    commands: frozenset[str]
    installers: tuple[tuple[str, ...], ...]


@cache
def _lists() -> _Lists:
    source = files("tidegate.scanners").joinpath("data/notebook_lines.json")
    table = json.loads(source.read_text("utf-8"))
    return _Lists(
        **{
            name: frozenset(table[name])
            for name in ("python_magics", "quiet_magics", "local_magics", "text_magics", "shells",
                         "extensions", "commands")
        },
        installers=tuple(tuple(row) for row in table["installers"]),
    )  # fmt: skip


def _is_python(text: str) -> bool:
    try:
        parsed(text)
    except SourceError:
        return False
    return True


class CellReader:
    """Reads the cells of one notebook."""

    def __init__(self, subject: Subject, report: Report) -> None:
        self._subject = subject
        self._report = report
        self.cell = 0
        """The number of the cell that is read, for whoever looks for it."""

    def python_of(self, text: str) -> str:
        """What is left of a code cell as Python, with the rest judged."""
        stripped = text.lstrip()
        if stripped.startswith("%%"):
            first, _, rest = stripped.partition("\n")
            name, _, argument = first[2:].strip().partition(" ")
            return self._cell_magic(name, argument.strip(), rest)
        if _is_python(text):
            # What looks like a magic there stands in a text of several lines.
            return text
        lines = []
        pending = ""
        for line in text.split("\n"):
            joined = pending + line
            special = _LINE.match(joined)
            if special and joined.endswith("\\"):
                pending = joined[:-1] + " "
                continue
            pending = ""
            if special:
                lines.append(special[1] + self._line(special[2], special[3].strip()))
            else:
                lines.append("" if _HELP.match(joined) else joined)
        return "\n".join(lines)

    def _cell_magic(self, name: str, argument: str, rest: str) -> str:
        lists = _lists()
        if name in lists.python_magics:
            return f"{self.python_of(argument)}\n{self.python_of(rest)}"
        if name in {"writefile", "file"}:
            grave = None if _leads_away(argument) else Severity.MEDIUM
            self._found("NOTEBOOK-MAGIC", f"%%{name} {argument}", grave, "writes a file")
            return rest if argument.endswith(".py") else ""
        if name in lists.text_magics or name in lists.quiet_magics:
            if _SCRIPT.search(rest):
                self._found("NOTEBOOK-MAGIC", f"%%{name}", None, "shows a script")
            return ""
        if name in lists.shells:
            for line in re.sub(r"\\\n", " ", rest).split("\n"):
                self._shell(line)
            return ""
        if name in {"html", "HTML", "svg"} and not re.search(r"<\s*script|\bon\w+\s*=", rest, re.I):
            return ""
        self._found("NOTEBOOK-MAGIC", f"%%{name}", None, "runs code of another language")
        return ""

    def _line(self, mark: str, rest: str) -> str:
        if mark.startswith("!"):
            self._shell(rest)
            return "None"
        name, _, argument = rest.partition(" ")
        argument = argument.strip()
        lists = _lists()
        if name in lists.python_magics:
            return argument or "None"
        if name in {"pip", "conda", "mamba", "uv", "micromamba"}:
            self._shell(rest)
        elif name in {"system", "sx", "sc", "bash", "sh"}:
            self._shell(argument)
        elif name in _ALIASES:
            self._shell(rest)
        elif name == "config" and argument and not _SETTING.fullmatch(argument):
            self._found("NOTEBOOK-MAGIC", f"%{name} {argument}", None, "runs what it sets")
        elif name in _WRITING and _leads_away(argument):
            self._found("NOTEBOOK-MAGIC", f"%{name} {argument}", None, "writes a file")
        elif name in {"env", "set_env"} and steers_programs(re.split(r"[=\s]", argument)[0]):
            does = "sets what decides which code programs load"
            self._found("NOTEBOOK-MAGIC", f"%{name} {argument}", None, does)
        elif name == "store" and "-r" in argument.split():
            self._found("NOTEBOOK-MAGIC", f"%{name} {argument}", Severity.MEDIUM, "unpickles")
        elif name in lists.quiet_magics or name in lists.text_magics:
            return "None"
        elif name in {"load_ext", "reload_ext"}:
            grave = None if argument not in lists.extensions else Severity.INFO
            self._found("NOTEBOOK-MAGIC", f"%{name} {argument}", grave, "imports an extension")
        elif name in lists.local_magics:
            grave = None if _leads_away(argument) else Severity.MEDIUM
            self._found("NOTEBOOK-MAGIC", f"%{name} {argument}", grave, "runs another file")
        else:
            self._found("NOTEBOOK-MAGIC", f"%{name}", None, "is a magic that is not known")
        return "None"

    def _shell(self, command: str) -> None:
        command = command.strip()
        if not command or command.startswith("#"):
            return
        if "$(" in command or "`" in command or "<(" in command:
            self._found("NOTEBOOK-SHELL", command, None, "runs what another command gives")
            return
        for part in _SEPARATORS.split(command):
            self._simple_command(part.strip(), command)

    def _simple_command(self, part: str, whole: str) -> None:
        if not part:
            return
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            words = part.split()
        lists = _lists()
        for installer in lists.installers:
            if tuple(words[: len(installer)]) == installer:
                self._install(words[len(installer) :], whole)
                return
        redirected = any(word.startswith(">") or word.endswith(">") for word in words)
        if words and words[0] in lists.commands and not redirected:
            self._found("NOTEBOOK-SHELL", part, Severity.LOW, "looks at the machine", whole)
        elif words and not (len(words) == 2 and words[1] == "--version"):
            self._found("NOTEBOOK-SHELL", part, None, "runs a program", whole)

    def _install(self, words: list[str], whole: str) -> None:
        away = elsewhere(" ".join(words)) or next(
            (why for word in words if (why := elsewhere(word)) is not None), None
        )
        if away is not None:
            self._report.found(
                "REQUIREMENTS-ELSEWHERE",
                self._subject,
                f"Cell {self.cell} {away}: {shown(whole)}",
                detail=shown(whole, 200),
            )
        else:
            self._found("NOTEBOOK-INSTALL", whole, None, "installs packages")

    def _found(
        self, rule: str, what: str, severity: Severity | None, does: str, line: str | None = None
    ) -> None:
        # A person searches for the line as it stands in the cell, not for a part of it.
        part = "" if line is None or line == what else f" ({shown(what)})"
        self._report.found(
            rule,
            self._subject,
            f"Cell {self.cell}: its line `{shown(line or what)}` {does}{part}.",
            severity=severity,
            detail=shown(what, 200),
        )
