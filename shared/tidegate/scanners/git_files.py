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
_LONGEST = 4096
_SECTION = re.compile(rb"^[ \t]*\[(?:core|alias|filter|diff|merge|include|includeif|submodule|gpg|"
                      rb"credential|protocol|pager|sequence|remote|uploadpack|difftool|mergetool|"
                      rb"url|http|init|interactive)\b", re.IGNORECASE | re.MULTILINE)  # fmt: skip
_LINE = re.compile(
    r"^[ \t]*(?:\[\s*([\w.-]+)[^\]\n]*\])?[ \t]*(?:([\w.-]+)[ \t]*=[ \t]*(.+?))?[ \t]*$"
)
_RUNNING: dict[str, frozenset[str]] = {
    "core": frozenset({"fsmonitor", "hookspath", "sshcommand", "gitproxy", "pager", "editor",
                       "askpass", "alternaterefscommand"}),
    "filter": frozenset({"clean", "smudge", "process"}),
    "diff": frozenset({"textconv", "external", "command"}),
    "merge": frozenset({"driver"}),
    "difftool": frozenset({"cmd", "path"}),
    "mergetool": frozenset({"cmd", "path"}),
    "gpg": frozenset({"program"}),
    "credential": frozenset({"helper"}),
    "uploadpack": frozenset({"packobjectshook"}),
    "remote": frozenset({"uploadpack", "receivepack", "vcs"}),
    "interactive": frozenset({"difffilter"}),
    "init": frozenset({"templatedir"}),
    "sequence": frozenset({"editor"}),
    "submodule": frozenset({"update"}),
    "include": frozenset({"path"}),
    "includeif": frozenset({"path"}),
}  # fmt: skip
"""By section, the settings whose values are run, or name a file of more settings."""
_HARMLESS = re.compile(r"git[ -]lfs\b[ \w%.*'\"-]*|cache(?: .*)?|!gh auth git-credential|[\w.-]*")
# Here even a plain word is a file of the folder.
_NAMING_FILES = frozenset({"fsmonitor", "hookspath", "templatedir", "path"})
_SWITCH = re.compile(r"true|false|", re.IGNORECASE)


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
    return b"[" in chunk and _SECTION.search(chunk) is not None


def report_settings(text: str, subject: Subject, report: Report) -> None:
    """Report each setting by which git would run a command or take in another file."""
    section = ""
    for line in text.replace("\\\n", "").splitlines():
        found = _LINE.match(line[:_LONGEST])
        if found is None:
            continue
        section = (found[1] or section).lower()
        key, value = (found[2] or "").lower(), (found[3] or "").strip().strip('"')
        runs = key in _RUNNING.get(section, ()) or (
            section == "pager" or value.startswith(("!", "ext::")) or " --upload-pack" in value
        )
        harmless = _SWITCH if key in _NAMING_FILES else _HARMLESS
        if runs and key and not harmless.fullmatch(value):
            report.found(
                "GIT-SETTING",
                subject,
                f"The git setting {shown(section)}.{shown(key)} runs {shown(value)}.",
                detail=shown(f"{section}.{key} = {value}", 200),
            )
