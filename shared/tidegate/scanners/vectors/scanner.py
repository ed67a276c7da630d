"""The scanner of vectors, matrices and checksum files."""

from __future__ import annotations

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.vectors.matlab import read_matlab
from tidegate.scanners.vectors.matlab4 import read_matlab4
from tidegate.scanners.vectors.words import read_fasttext, read_word2vec

_LEAST = 24


class VectorScanner(Scanner):
    """Reads fastText, word2vec, MATLAB's files and Hadoop's checksums."""

    name = "vectors"
    formats = frozenset({"fasttext", "word2vec", "matlab", "checksums"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Follow the file to its end."""
        cursor = Cursor(subject.stream, subject.size)
        try:
            if subject.format == "fasttext":
                read_fasttext(cursor)
            elif subject.format == "word2vec":
                read_word2vec(cursor)
            elif subject.format == "matlab":
                if cursor.peek(128)[124:] in {b"\0\1IM", b"\1\0MI"}:
                    read_matlab(cursor, subject, report)
                else:
                    read_matlab4(cursor)
            else:
                _read_checksums(subject, report, dispatcher)
        except BrokenError as problem:
            report.found(
                "VECTORS-MALFORMED",
                subject,
                f"The {subject.format} file breaks its format: {problem}",
                detail=subject.format,
            )


def _read_checksums(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """A mark, the length that each checksum is for, four bytes for each."""
    from tidegate.scanners.raw import scan_raw
    from tidegate.scanners.streams import window

    cursor = Cursor(subject.stream, subject.size, order=">")
    _, length = cursor.unpack("4sI")
    if not 1 <= length <= 1 << 20 or cursor.left % 4:
        raise BrokenError("It is no list of checksums.")
    # A few random bytes read as a pickle by chance, and hold none.
    if (rest := cursor.left) >= _LEAST:
        scan_raw(subject.inside(window(subject.stream, 8, rest), rest, "sums"), report, dispatcher)
