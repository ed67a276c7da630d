"""Pickles made to exhaust a reader: deep, wide, endless, or claiming more than there is."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
from io import BytesIO

import numpy as np
from samples.pickles import PickleScanner, ScanAll, call, name, pickled, rules, scan, text

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.pickle import machine, memo, trace


def peak_of(data: bytes) -> tuple[Report, int]:
    report = Report()
    tracemalloc.start()
    PickleScanner().scan(Subject(BytesIO(data), len(data), "m.pkl", "pickle"), report, ScanAll())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return report, peak


def test_depth_is_no_recursion() -> None:
    assert rules(scan(pickled(b"]" * 200_000 + b"a" * 199_999))) == {"PICKLE-PLAIN"}
    assert rules(scan(pickled(b")" + b"\x85" * 200_000))) == {"PICKLE-PLAIN"}


def test_a_chain_of_calls_is_no_recursion() -> None:
    chain = name("collections", "OrderedDict") + b")R" * 20_000
    assert "PICKLE-INDIRECT" in rules(scan(pickled(chain)))


def test_a_payload_below_all_that_depth_is_found() -> None:
    stream = b"]" * 50_000 + call(name("os", "system"), text("x")) + b"a" * 50_000
    assert "PICKLE-EXEC" in rules(scan(pickled(stream)))


def test_more_values_than_a_model_holds_are_unread(monkeypatch) -> None:
    monkeypatch.setattr(machine, "MAX_VALUES", 10_000)
    assert scan(pickled(b"N" * 50_000)).unread_parts
    assert scan(pickled(b"(" * 50_000)).unread_parts
    assert scan(pickled(b"(" + b"N(" * 50_000)).unread_parts


def test_a_memo_beyond_its_bound_hides_no_name(monkeypatch) -> None:
    monkeypatch.setattr(memo, "TEXT_BUDGET", 10_000)
    many = b"".join(text(f"word {number}") + b"\x940" for number in range(500))
    stream = many + text("os") + b"\x940" + b"j" + struct.pack("<I", 500) + text("system") + b"\x93"
    assert "PICKLE-INDIRECT" in rules(scan(pickled(stream)))


def test_a_memo_beyond_its_bound_is_no_finding_for_data(monkeypatch) -> None:
    monkeypatch.setattr(memo, "TEXT_BUDGET", 1_000)
    monkeypatch.setattr(memo, "OBJECT_BUDGET", 1_000)
    words = [f"word {number}" for number in range(500)]
    report = scan(pickle.dumps([words, list(words), [words]]))
    assert rules(report) == {"PICKLE-PLAIN"}


def test_scattered_memo_indexes_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(memo, "MAX_SCATTERED", 100)
    puts = b"".join(b"r" + struct.pack("<I", 7 * number + 1000) for number in range(500))
    stream = (
        text("os") + puts + b"0j" + struct.pack("<I", 7 * 400 + 1000) + text("system") + b"\x93"
    )
    assert "PICKLE-INDIRECT" in rules(scan(pickled(stream)))


def test_more_names_than_can_be_kept_are_unread(monkeypatch) -> None:
    monkeypatch.setattr(trace, "MAX_REFERENCES", 50)
    flood = b"".join(name("mine", f"Class{number}") + b"0" for number in range(100))
    assert scan(pickled(flood + b"N")).unread_parts


def test_a_claimed_length_costs_nothing() -> None:
    for opcode in (b"\x8e", b"\x8d", b"\x96"):
        report, peak = peak_of(b"\x80\x05" + opcode + struct.pack("<Q", 1 << 62) + b"x" * 100)
        assert report.unread_parts
        assert peak < 4 << 20


def test_numbers_of_a_million_digits_are_read_past() -> None:
    digits = b"9" * 900_000
    assert rules(scan(b"I" + digits + b"\n0" + pickled(b"N"))) == {"PICKLE-PLAIN"}
    assert rules(
        scan(b"\x8b" + struct.pack("<i", 100_000) + b"\x01" * 100_000 + b"0" + pickled(b"N"))
    ) == {"PICKLE-PLAIN"}


def test_a_big_array_stays_in_the_file() -> None:
    array = np.zeros(30 << 20, dtype="u1")
    for protocol in (2, 4, 5):
        data = pickle.dumps([array, array.copy()], protocol)
        if protocol > 2:
            report, peak = peak_of(data)
            assert rules(report) == {"PICKLE-PLAIN"}
            assert peak < 100 << 20


def test_bytes_that_repeat_an_import_are_swept_in_bounded_steps() -> None:
    report = scan(b"\xff" + b"cos\npath\n" * 5_000)
    assert report.unread_parts


def test_what_exhausts_the_loader_itself_is_held() -> None:
    much = b"\x8a\x06" + (1 << 40).to_bytes(6, "little")
    doubled = text("k") + b"\x94" + b"".join(b"h%ch%c\x86\x94" % (n, n) for n in range(50))
    shape = name("numpy", "ndarray") + much + b"\x85" + b"C\x01b"
    for stream in (
        name("builtins", "bytearray") + much + b"\x85R",
        name("builtins", "list") + name("builtins", "range") + much + b"\x85R\x85R",
        name("numpy._core.multiarray", "_reconstruct") + b"(" + shape + b"tR",
        b"Nr" + struct.pack("<I", 2_000_000_000),
        b"}" + doubled + b"Ns",
        b"\x8f(" + doubled + b"\x90",
        b"N\x94" + b"".join(b"(" + b"h%c" % n * 10 + b"t\x94" for n in range(60)),
    ):
        assert "PICKLE-EXHAUST" in rules(scan(pickled(stream))), stream[:80]


def test_shared_and_circular_values_do_not_exhaust() -> None:
    shared = (1, 2)
    wheel: list[object] = []
    wheel.extend({"hub": wheel, "pair": shared} for _ in range(500))
    table = {(shared, shared, (number, shared)): shared for number in range(500)}
    for honest in (wheel, table, list(range(3000)), {(1, (2, (3, (4, (5,))))): bytes(100)}):
        assert rules(scan(pickle.dumps(honest))) == {"PICKLE-PLAIN"}
