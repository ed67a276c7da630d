"""Opening the members of an archive: checked against their headers, bounded, never on disk."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import BinaryIO

from tidegate.scanners.codecs.raw_lzma import ZipLzma
from tidegate.scanners.expanding import expand
from tidegate.scanners.interface import Dispatcher, Report, Subject
from tidegate.scanners.streams import CODECS, Codec, crc_of, window
from tidegate.scanners.zip.directory import Archive, Member

_METHODS = {8: "deflate", 12: "bz2", 93: "zstd", 95: "xz"}
_LZMA = 14


def open_member(
    subject: Subject, member: Member, report: Report, dispatcher: Dispatcher
) -> tuple[BinaryIO, int] | None:
    """The member's content and its length, or None where it can't be read.

    `subject` is the archive. A checksum or a size that does not hold is reported; the content is
    still given, as some readers take it all the same.
    """
    part = subject.inside(subject.stream, member.size, label(member.name))
    if member.is_encrypted:
        report.found("ZIP-ENCRYPTED", part, "This member is encrypted, so nobody can look at it.")
        report.unread(part, "the member is encrypted")
        return None
    if member.data < 0 or member.end < 0 or member.data + member.compressed > subject.size:
        report.unread(part, "the member's bytes are not where its headers say")
        return None
    source = window(subject.stream, member.data, member.compressed)
    if member.method == 0:
        return _stored(source, subject, part, member, report)
    if member.method != _LZMA and member.method not in _METHODS:
        report.unread(part, f"this version has no reader for zip compression {member.method}")
        return None
    return _compressed(source, part, member, report, dispatcher)


def label(name: str) -> str:
    """A member's name as it stands in findings: whole unless it is absurdly long.

    The end is always kept, as names are also read for what they add (`x.py`).
    """
    if len(name) <= 256:
        return name
    told = f"{zlib.crc32(name.encode(errors='replace')):08x}"
    return f"{name[:80]}...#{told}...{name[-120:]}"


def _stored(
    source: BinaryIO, subject: Subject, part: Subject, member: Member, report: Report
) -> tuple[BinaryIO, int]:
    if member.size != member.compressed:
        report.found("ZIP-MALFORMED", part, "A member that is not compressed has two sizes.")
    _check_crc(crc_of(subject.stream, member.data, member.compressed), part, member, report)
    return source, member.compressed


def _compressed(
    source: BinaryIO, part: Subject, member: Member, report: Report, dispatcher: Dispatcher
) -> tuple[BinaryIO, int]:
    size = member.size
    codec: Callable[[], Codec] = (
        (lambda: ZipLzma(size)) if member.method == _LZMA else CODECS[_METHODS[member.method]]
    )
    content = expand(source, member.compressed, codec, dispatcher.budget, several=False)
    if content.bomb:
        report.found(
            "ZIP-BOMB",
            part,
            f"{member.compressed} bytes unfold to more than {content.size} bytes.",
        )
    if content.bomb or content.over_budget:
        report.unread(part, f"the member unfolds to more than the {content.size} bytes looked at")
        return content.stream, content.size
    if content.broken:
        report.found("ZIP-MALFORMED", part, f"The member can't be unfolded: {content.broken}.")
    elif content.size != member.size:
        report.found(
            "ZIP-MALFORMED",
            part,
            f"The member unfolds to {content.size} bytes; its headers say {member.size}.",
        )
    elif content.rest:
        report.found(
            "ZIP-MALFORMED",
            part,
            f"{content.rest} bytes follow the end of the member's compressed data.",
        )
    else:
        _check_crc(content.crc, part, member, report)
    return content.stream, content.size


def _check_crc(crc: int, part: Subject, member: Member, report: Report) -> None:
    if crc != member.crc:
        report.found(
            "ZIP-MALFORMED",
            part,
            "The member's checksum is wrong: some readers refuse it, others take it.",
        )


def report_structure(archive: Archive, subject: Subject, report: Report) -> None:
    """Turn what the directory reader noted into findings and unread parts."""
    for problem in archive.problems:
        about = subject
        if problem.member is not None:
            about = subject.inside(subject.stream, 0, label(problem.member))
        message = problem.message[:1].upper() + problem.message[1:] + "."
        report.found(problem.rule, about, message, offset=problem.offset)
    for reason in archive.unread:
        report.unread(subject, reason)
