"""Code that nobody can read here: held until somebody has looked at it.

Compiled Python, scripts of other interpreters, native programs. Python sources and notebooks
have readers of their own.
"""

from __future__ import annotations

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import read_exactly, shown

_RULES = {
    "bytecode": ("CODE-BYTECODE", "Compiled Python"),
    "script": ("CODE-SCRIPT", "A script"),
    "native": ("CODE-NATIVE", "Native code"),
}
_NATIVE = (
    (b"\x7fELF", "an ELF program or library (Linux)"),
    (b"MZ", "a PE program or library (Windows)"),
    (b"\xca\xfe\xba\xbe", "a Java class or a Mach-O library"),
    (b"\0asm", "WebAssembly"),
    (b"dex\n", "an Android program"),
    (b"BC\xc0\xde", "LLVM bitcode"),
    (b"!<arch>\n", "a static library"),
)


class CodeScanner(Scanner):
    """Reports code of every kind."""

    name = "code"
    formats = frozenset(_RULES)

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """One finding; `detail` is the kind, so that an approval covers no other."""
        rule, what = _RULES[subject.format]
        head = read_exactly(subject.stream, 256)
        message = f"{what} is part of the artifact."
        if subject.format == "native":
            kind = next((k for magic, k in _NATIVE if head.startswith(magic)), "a Mach-O program")
            if any(head.startswith(magic) for magic, _ in _NATIVE) or head[:1] in b"\xfe\xce\xcf":
                message = f"The file is {kind}."
            else:
                message = "The file is named like a program or a library."
        elif subject.format == "script" and head.startswith(b"#!"):
            line = head.splitlines()[0].decode("utf-8", errors="replace")
            message = f"The file is a script for {shown(line[2:].strip())}."
        report.found(rule, subject, message)
        if subject.format == "bytecode":
            _report_compiled(subject, report)


def _report_compiled(subject: Subject, report: Report) -> None:
    """Say what compiled Python reaches; it is held anyway, for Python may load it unasked."""
    from tidegate.scanners.bytecode import UnreadableCodeError, concerns, read_compiled
    from tidegate.scanners.bytecode.marshal_data import MAX_MARSHALLED

    subject.stream.seek(0)
    try:
        codes = read_compiled(read_exactly(subject.stream, MAX_MARSHALLED + 17))
    except UnreadableCodeError as error:
        report.unread(subject, f"the compiled code can't be read: {error}")
        return
    for facts in codes:
        for concern in concerns(facts):
            report.found(
                "CODE-BYTECODE",
                subject,
                f"{shown(facts.name)} in the compiled code names {shown(concern.path)}:"
                f" {shown(concern.reason, 200)}.",
                detail=shown(f"{facts.name}: {concern.path}", 200),
            )
