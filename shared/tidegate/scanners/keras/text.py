"""A configuration that stands as text inside another format, such as a SavedModel's metadata."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.scanners.interface import Report, Subject, iter_stream
from tidegate.scanners.json_stream import JsonReader, JsonUnreadError, Pairs
from tidegate.scanners.keras.judge import WATCHED, KerasPart, judge_object, keras_part


class _Judge:
    """Judges the objects of one configuration; its texts are those of their own reader."""

    watched = WATCHED

    def __init__(self, subject: Subject, report: Report, *, revived: bool) -> None:
        self._subject = subject
        self._report = report
        self._revived = revived

    def object(self, pairs: Pairs, complete: bool) -> KerasPart | None:  # noqa: ARG002
        """Judge one object."""
        if {"class_name", "config"} <= {key for key, _ in pairs}:
            judge_object(pairs, self._subject, self._report, revived=self._revived)
        return keras_part(pairs)

    def text(self, text: str, keys: Callable[[], tuple[str, ...]]) -> None:
        """A text says nothing about the model."""


def report_config(subject: Subject, report: Report, *, revived: bool = False) -> None:
    """Judge every object of the subject, a JSON text; what is no JSON is unread.

    With `revived`, classes that nobody knows are no finding (see `judge_object`).
    """
    reader = JsonReader(_Judge(subject, report, revived=revived))
    subject.stream.seek(0)
    try:
        reader.read(iter_stream(subject.stream))
    except JsonUnreadError as reason:
        report.unread(subject, str(reason))
    if reader.irregular:
        report.unread(subject, "a Keras configuration that is no JSON")
