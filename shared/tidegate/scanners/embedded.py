"""Texts and byte strings inside a model's graph: what somebody put there may be meant to run.

No honest exporter writes shell commands, Python that imports or evaluates, or pickles into
metadata, descriptions or tensors; some loaders evaluate what they find there.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import Any

from tidegate.scanners.interface import Dispatcher, Report, Subject
from tidegate.scanners.protobuf.tree import Blob
from tidegate.scanners.raw import scan_raw
from tidegate.scanners.streams import shown, window

_CODE = re.compile(
    rb"__import__\s*\(|(?<![.\w])(?:eval|exec|execfile)\s*\(|__(?:subclasses|globals|builtins)__"
    rb"|\bos\.(?:system|popen|exec[lv]\w*|spawn\w+)\b|\bsubprocess\.\w|\bpty\.spawn"
    rb"|\bimport\s+(?:os|subprocess|socket|pty|ctypes)\b|^#!\s*/|<script\b|\bjavascript:"
    rb"|/bin/(?:ba|z|da)?sh\b|\bpowershell\b|\b(?:curl|wget)\s+(?:-\S+\s+)*['\"]?https?://"
    rb"|\b(?:pickle|marshal|dill)\.loads?\s*\(|\bbase64\s+(?:-d|--decode)\b|\brm\s+-rf\b"
    rb"|\bnc\s+-\w*e|\$\{jndi:|/dev/tcp/\S"
    rb"|\Ahttps?://\S+\.(?:bat|exe|hta|ps1|sh|vbs)\s*\Z",
    re.IGNORECASE | re.MULTILINE,
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}\s*")
_SHORTEST = 12
_SMALL = 24


def judge_text(
    text: bytes, where: str, offset: int, subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    """Report code in a text, or a harmful pickle, as it is or in base64."""
    if len(text) < _SHORTEST:
        return
    decoded = _decoded(text)
    match = _CODE.search(text)
    if match is None and decoded is not None and decoded.isascii():
        match = _CODE.search(decoded)
    if match is not None:
        line = match[0].decode("utf-8", "backslashreplace")
        report.found(
            "GRAPH-EMBEDDED-CODE",
            subject,
            f"A text of the model ({where}) holds code or a command: {shown(line)!r}.",
            offset=offset,
            detail=shown(line, 200),
        )
    for data in (text, decoded):
        if data and (data[0] == 0x80 or _is_not_plain(data)):
            part = subject.inside(io.BytesIO(data), len(data), f"text@{offset}")
            scan_raw(part, report, dispatcher)


def _decoded(text: bytes) -> bytes | None:
    if not _BASE64.fullmatch(text):
        return None
    try:
        return base64.b64decode(text.strip() + b"==", b"-_" if b"_" in text else None)
    except (ValueError, binascii.Error):
        return None


def _is_not_plain(data: bytes) -> bool:
    """Whether a text could be a pickle of the old kind, or holds bytes that are no text."""
    return data[:1] in b"c(S]}I" or not data[:64].isascii() or b"\0" in data[:64]


def scan_bytes(
    blob: Blob, name: str, subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    """Look whether a tensor's bytes are a program, an archive or a harmful pickle."""
    if blob.size < _SMALL:
        return
    stream: Any = (
        window(subject.stream, blob.offset, blob.size)
        if blob.data is None
        else io.BytesIO(blob.data)
    )
    label = shown(name, 40) or f"bytes@{blob.offset}"
    scan_raw(subject.inside(stream, blob.size, label), report, dispatcher)
