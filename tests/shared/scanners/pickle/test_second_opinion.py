"""picklescan beside us: heard where it holds something against what we let pass, else silent."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from samples.pickles import SYSTEM, data, finding, pickled, rules, scan

from tidegate.scanners.callables import Judgement, Standing
from tidegate.scanners.interface import Severity
from tidegate.scanners.pickle import code_opcodes, second_opinion


def test_what_only_picklescan_holds_is_reported(monkeypatch) -> None:
    monkeypatch.setattr(
        code_opcodes, "judge", lambda *_: Judgement(Standing.ALLOWED, "a hole in our list")
    )
    report = scan(SYSTEM)
    assert finding(report, "PICKLE-SECOND-OPINION").severity is Severity.LOW


def test_what_our_reading_has_not_seen_at_all_is_held(monkeypatch) -> None:
    monkeypatch.setattr(
        "tidegate.scanners.pickle.scanner.dangerous_globals", lambda *_: ("os.system",)
    )
    report = scan(pickled(b"N"))
    assert finding(report, "PICKLE-SECOND-OPINION").severity is Severity.HIGH


def test_picklescan_is_not_asked_where_we_found_something(monkeypatch) -> None:
    monkeypatch.setattr("tidegate.scanners.pickle.scanner.dangerous_globals", lambda *_: 1 / 0)
    assert rules(scan(SYSTEM)) == {"PICKLE-EXEC"}


@pytest.mark.parametrize("error", [ValueError, KeyError, RecursionError, SystemError, ImportError])
def test_picklescan_s_errors_are_not_ours(monkeypatch, error) -> None:
    def fail(*_: object) -> None:
        raise error("broken")

    monkeypatch.setattr("picklescan.scanner.scan_pickle_bytes", fail)
    report = scan(pickled(b"N"))
    assert rules(report) == {"PICKLE-PLAIN"}
    assert not report.unread_parts


def test_picklescan_s_absence_is_no_error(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "picklescan.scanner", None)
    assert rules(scan(pickled(b"N"))) == {"PICKLE-PLAIN"}


def test_picklescan_is_not_asked_about_more_than_it_can_hold(monkeypatch) -> None:
    monkeypatch.setattr(second_opinion, "MAX_BYTES", 10)
    assert second_opinion.dangerous_globals(io.BytesIO(SYSTEM), len(SYSTEM), 1) == ()
    monkeypatch.setattr(second_opinion, "MAX_BYTES", 1000)
    assert second_opinion.dangerous_globals(io.BytesIO(SYSTEM), len(SYSTEM), 1) == ("os.system",)
    assert second_opinion.dangerous_globals(io.BytesIO(SYSTEM), len(SYSTEM), 10**9) == ()


def test_picklescan_prints_nothing(caplog) -> None:
    with caplog.at_level(logging.DEBUG):
        second_opinion.dangerous_globals(io.BytesIO(SYSTEM), len(SYSTEM), 1)
        scan(pickled(data(b"x")))
    assert caplog.text == ""
    assert not logging.getLogger("picklescan").disabled
