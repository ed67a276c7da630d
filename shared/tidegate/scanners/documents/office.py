"""Microsoft's compound files (old Word, Excel, PowerPoint, installers) and RTF.

[MS-CFB]: the directory's names are UTF-16. Documents of this kind are unread; those with macros,
embedded objects or an installer's content are found.
"""

from __future__ import annotations

import re

from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject

_CHUNK = 1 << 20
_OVERLAP = 256
_INSTALLER = b"\x84\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"
_ENTRIES = {
    name.encode("utf-16-le"): what
    for name, what in {
        "_VBA_PROJECT": "macros",
        "VBA\0": "macros",
        "Macros\0": "macros",
        "Ole10Native": "an embedded program",
        "Equation Native": "an equation object, as exploits use",
        "ObjectPool": "embedded objects",
        "EncryptedPackage": "an encrypted document",
    }.items()
}
_RTF_OBJECT = re.compile(
    rb"\\(?:obj(?:data|update|autlink|emb|link|html|ocx)|object\b|\*\\template|ddeauto)",
    re.IGNORECASE,
)


def read_compound(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG001
    """Search the directory's names; the rest is unread."""
    before = b""
    while chunk := subject.stream.read(_CHUNK):
        data = before + chunk
        for entry, what in _ENTRIES.items():
            if entry in data:
                report.found("DOCUMENT-ACTIVE", subject, f"The document has {what}.", detail=what)
        if _INSTALLER in data:
            report.found(
                "CODE-NATIVE", subject, "The file is an installer for Windows.", detail="msi"
            )
        before = data[-_OVERLAP:]
    report.unread(subject, "a document of Microsoft's older formats")


def read_rtf(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG001
    """Search for objects; plain text in RTF passes."""
    before = b""
    while chunk := subject.stream.read(_CHUNK):
        data = before + chunk
        if _RTF_OBJECT.search(data):
            report.found(
                "DOCUMENT-ACTIVE",
                subject,
                "The document embeds or fetches an object.",
                severity=Severity.HIGH,
                detail="object",
            )
        if b"\0" in data:
            report.unread(subject, "an RTF document with binary parts")
        before = data[-_OVERLAP:]
