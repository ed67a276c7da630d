"""The media scanner: the reader that the first bytes ask for."""

from __future__ import annotations

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.media.containers import read_aiff, read_boxes, read_ogg, read_riff
from tidegate.scanners.media.parts import Parts, Reader
from tidegate.scanners.media.pictures import (
    read_bmp,
    read_gif,
    read_ico,
    read_jpeg,
    read_netpbm,
    read_png,
)
from tidegate.scanners.media.tiff import read_tiff
from tidegate.scanners.streams import read_exactly

_READERS: tuple[tuple[int, bytes, str, Reader], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", ">", read_png),
    (0, b"\xff\xd8\xff", ">", read_jpeg),
    (0, b"GIF8", "<", read_gif),
    (0, b"BM", "<", read_bmp),
    (0, b"RIFF", "<", read_riff),
    (0, b"FORM", ">", read_aiff),
    (0, b"OggS", "<", read_ogg),
    (4, b"ftyp", ">", read_boxes),
    (0, b"\0\0\0\x0cjP  ", ">", read_boxes),
    (0, b"\0\0\1\0", "<", read_ico),
    (0, b"P4", "<", read_netpbm),
    (0, b"P5", "<", read_netpbm),
    (0, b"P6", "<", read_netpbm),
    (0, b"II", "<", read_tiff),
    (0, b"MM", ">", read_tiff),
)


class MediaScanner(Scanner):
    """Reads pictures, sound and film."""

    name = "media"
    formats = frozenset({"image", "media"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Follow the file to its end."""
        head = read_exactly(subject.stream, 16)
        fitting = [
            (order, read) for at, magic, order, read in _READERS if head.startswith(magic, at)
        ]
        if not fitting:
            report.unread(subject, "media of a kind that this version does not follow to its end")
            return
        order, read = fitting[0]
        try:
            read(
                Cursor(subject.stream, subject.size, order=order),
                Parts(subject, report, dispatcher),
            )
        except BrokenError as problem:
            report.found(
                "MEDIA-MALFORMED",
                subject,
                f"The {subject.format} file breaks its format: {problem}",
                detail="malformed",
            )
