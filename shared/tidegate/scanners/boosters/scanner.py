"""The boosters' scanner: follows a model to its last byte, or says where it stops being one."""

from __future__ import annotations

import io

from tidegate.scanners.boosters.catboost_model import read_model
from tidegate.scanners.boosters.lightgbm_text import check_model
from tidegate.scanners.boosters.ubjson import UbjsonReader
from tidegate.scanners.boosters.xgboost_binary import read_binary
from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.markup.tables import CODE
from tidegate.scanners.streams import window

_SUSPECT = 64


class BoosterScanner(Scanner):
    """Reads models of XGBoost (UBJSON, old binary), LightGBM (text) and CatBoost."""

    name = "boosters"
    formats = frozenset({"xgboost", "ubjson", "lightgbm", "catboost"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read the format that the subject is of."""
        read = {
            "xgboost": _scan_xgboost,
            "ubjson": _scan_ubjson,
            "lightgbm": _scan_lightgbm,
            "catboost": _scan_catboost,
        }[subject.format]
        try:
            read(subject, report, dispatcher)
        except BrokenError as problem:
            report.found(
                "BOOSTER-MALFORMED",
                subject,
                f"The {subject.format} model breaks its format: {problem}",
                detail=subject.format,
            )
            report.unread(subject, f"the {subject.format} model could not be followed to its end")


def _scan_xgboost(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    texts = read_binary(Cursor(subject.stream, subject.size))
    if any(CODE.search(text.decode("latin-1")) for _, text in texts):
        raise BrokenError("A text beside the model holds code.")
    _look_into(texts, subject, report, dispatcher)


def _scan_ubjson(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    cursor = Cursor(subject.stream, subject.size, order=">")
    reader = UbjsonReader(cursor)
    reader.read()
    cursor.expect_end("the document")
    paths = reader.paths
    if reader.coded:
        raise BrokenError(f"The text at byte {reader.coded[0][0]} holds code.")
    is_model = {"learner", "learner.gradient_booster", "learner.learner_model_param"} <= paths
    is_state = {"Config", "Model", "Model.learner"} <= paths
    if not (is_model or is_state):
        report.unread(subject, "a UBJSON document that is no XGBoost model")
    _look_into(reader.odd_texts, subject, report, dispatcher)


def _scan_lightgbm(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    from tidegate.scanners.registry import scanner_named

    scanner_named("text").scan(subject, report, dispatcher)
    subject.stream.seek(0)
    check_model(subject.stream)


def _scan_catboost(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    from tidegate.scanners.raw import scan_raw

    start, size = read_model(subject)
    if size:
        part = subject.inside(window(subject.stream, start, size), size, "further parts")
        scan_raw(part, report, dispatcher)


def _look_into(
    texts: list[tuple[int, bytes]], subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    """Texts that a model carries for nobody in particular: look whether one is a pickle."""
    from tidegate.scanners.raw import scan_raw

    for at, text in texts[:_SUSPECT]:
        if text and len(text) < subject.size and dispatcher.budget.take_member():
            part = subject.inside(io.BytesIO(text), len(text), f"text@{at}")
            scan_raw(part, report, dispatcher)
