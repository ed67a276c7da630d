"""The scanner of Python files."""

from __future__ import annotations

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.python_source import SourceError, report_source, report_unreadable
from tidegate.scanners.python_source.text import MAX_SOURCE, decoded
from tidegate.scanners.streams import read_exactly, shown

# Files that the interpreter runs at its start, or tools before anything of theirs.
_RUN_BY_THEMSELVES = frozenset(
    {"sitecustomize.py", "usercustomize.py", "conftest.py", "ipython_config.py",
     "jupyter_notebook_config.py", "jupyter_server_config.py", "gunicorn.conf.py"}
)  # fmt: skip
_CODE_FOLDER = "code"


class PythonScanner(Scanner):
    """Reads Python sources."""

    name = "python"
    formats = frozenset({"python"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """Say that there is code, then judge what it does and what its place does."""
        report.found("CODE-PYTHON", subject, "Python source is part of the artifact.")
        _judge_place(subject, report)
        try:
            text = decoded(read_exactly(subject.stream, MAX_SOURCE + 1))
        except SourceError as error:
            report_unreadable(error, subject, report)
            return
        if subject.name.lower().endswith(".pth"):
            # Only lines that begin with an import are run; the others are paths to import from.
            text = "\n".join(
                line.lstrip() for line in text.splitlines() if line.lstrip().startswith("import")
            )
            report.found(
                "CODE-SHADOW", subject, "Python runs this file by itself where it is installed."
            )
        report_source(text, subject, report)


def _judge_place(subject: Subject, report: Report) -> None:
    """What a file's name and folder make Python take it for."""
    whole = f"{subject.path}/{subject.member}" if subject.member else subject.path
    parts = whole.replace("\\", "/").replace("!", "/").split("/")
    if parts[-1].lower() in _RUN_BY_THEMSELVES:
        report.found(
            "CODE-SHADOW",
            subject,
            f"A file called {shown(parts[-1])} is run by itself where Python finds it.",
            detail=shown(parts[-1], 200),
        )
    if _CODE_FOLDER not in parts[:-1]:
        return
    from tidegate.scanners.callables import is_known_module

    top = parts[len(parts) - 1 - parts[-2::-1].index(_CODE_FOLDER) :][0]
    name = top.removesuffix(".py")
    if is_known_module(name):
        report.found(
            "CODE-SHADOW",
            subject,
            f"The model's code folder goes first on the import path, and {shown(name)} in it "
            "takes the place of a well-known module.",
            detail=shown(name, 200),
        )
