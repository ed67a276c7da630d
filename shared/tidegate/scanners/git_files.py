"""Git's own files in a model folder: settings that run commands, and pointers in a file's place.

Cloning runs none of them, but whoever works in a copied folder does: git runs the commands that
its configuration names (git-config(1); CVE-2022-24765 is about such folders). A pointer of Git LFS
stands where the model should be, so the model was not scanned.
"""

from __future__ import annotations

import re

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.streams import shown

_POINTER = b"version https://git-lfs.github.com/spec/v1"
_OLD_POINTER = b"version https://hawser.github.com/spec/v1"
_SECTION = re.compile(rb"^[ \t]*\[(?:core|alias|filter|diff|merge|include|includeif|submodule|gpg|"
                      rb"credential|protocol|pager|sequence|remote|uploadpack|difftool|mergetool|"
                      rb"url|http|init|interactive)\b", re.IGNORECASE | re.MULTILINE)  # fmt: skip
_RUNS = re.compile(
    r"^[ \t]*(?:\[[^\]\n]*\][ \t]*)?"
    r"([\w.-]+)"
    r"[ \t]*=[ \t]*(.+?)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_ALWAYS = frozenset(
    {"fsmonitor", "hookspath", "sshcommand", "gitproxy", "pager", "editor", "askpass", "textconv",
     "external", "driver", "cmd", "clean", "smudge", "process", "program", "uploadpack",
     "receivepack", "packobjectshook", "difffilter", "templatedir", "vcs", "command", "browser"}
)  # fmt: skip
_HARMLESS = re.compile(
    r"git[ -]lfs\b[ \w%.*'\"-]*|cache(?: .*)?|manager(?:-core)?|!gh auth git-credential|[\w.-]*"
)


def is_pointer(head: bytes) -> bool:
    """Whether a text that begins so is a pointer of Git LFS."""
    return head.startswith((_POINTER, _OLD_POINTER)) and len(head) < 1024


def report_pointer(subject: Subject, report: Report) -> None:
    """Say that the model is not here."""
    report.unread(
        subject,
        "a pointer of Git LFS in place of the file, whose bytes are not here: run `git lfs pull`",
    )


def may_be_settings(chunk: bytes) -> bool:
    """Whether the text has a section of a git configuration."""
    return _SECTION.search(chunk) is not None


def report_settings(text: str, subject: Subject, report: Report) -> None:
    """Report each setting by which git would run a command or take in another file."""
    for found in _RUNS.finditer(text):
        key, value = found[1].lower(), found[2].strip().strip('"')
        runs = key in _ALWAYS or value.startswith(("!", "ext::")) or " --upload-pack" in value
        if runs and not _HARMLESS.fullmatch(value):
            report.found(
                "GIT-SETTING",
                subject,
                f"The git setting {shown(key)} runs {shown(value)}.",
                offset=found.start(),
                detail=shown(f"{key} = {value}", 200),
            )
