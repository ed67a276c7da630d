"""Raw data pass by what describes them, and only as raw data."""

from __future__ import annotations

import io
import tarfile

import pytest
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.scanned import assert_clean, scanned, scanned_folder
from samples.tensorflow_files import entry, index

from tidegate.scanners.claims import RAW_DATA, FileResult, merged, resolved, settle
from tidegate.scanners.engine import _read_answer
from tidegate.scanners.interface import Claim, Finding, Limits, Report, Severity, Subject, Unread

UNKNOWN = "the bytes are of no format that this version knows"
RANDOM = {("pickle",): "the pickle can't be read on from byte 2: byte 0xff is no opcode"}


def settled(
    *claims: Claim,
    size: int = 100,
    name: str = "m/weights.bin",
    formats: tuple[str, ...] = ("unknown",),
    findings: tuple[Finding, ...] = (),
) -> tuple[FileResult, FileResult]:
    """What becomes of the model that claims and of the file beside it."""
    model = FileResult(("onnx",), claims=list(claims))
    data = FileResult(formats, list(findings), [Unread(name, RANDOM.get(formats, UNKNOWN))])
    settle({"m/model.onnx": 10, name: size}, {"m/model.onnx": model, name: data})
    return model, data


def rules(result: FileResult) -> set[str]:
    return {finding.rule for finding in result.findings}


def test_unknown_bytes_that_are_described_are_raw_data():
    model, data = settled(Claim("weights.bin", ((0, 40), (40, 60))))
    assert (data.formats, data.unread, data.findings) == ((RAW_DATA,), [], [])
    assert not model.unread
    assert not model.findings


def test_unknown_bytes_that_nobody_describes_stay_unread():
    _, data = settled(Claim("another.bin", None, optional=True))
    assert data.unread


def test_a_file_cannot_speak_for_itself():
    result = FileResult(("unknown",), [], [Unread("a", UNKNOWN)], [Claim("a")])
    settle({"a": 5}, {"a": result})
    assert result.unread


@pytest.mark.parametrize(
    "ranges", [((0, 99),), ((1, 99),), ((0, 10), (20, 80)), ((0, 0), (50, 50)), ()]
)
def test_bytes_that_no_stretch_covers_are_held(ranges):
    _, data = settled(Claim("weights.bin", ranges))
    assert rules(data) == {"EXTERNAL-DATA-HIDDEN"}


def test_padding_up_to_a_page_is_no_hidden_data():
    aligned = ((0, 100), (4096, 100))
    _, data = settled(Claim("weights.bin", aligned, 65536), size=4196)
    assert not data.findings
    assert not data.unread
    _, data = settled(Claim("weights.bin", ((0, 100), (4097, 99)), 65536), size=4196)
    assert rules(data) == {"EXTERNAL-DATA-HIDDEN"}
    _, data = settled(Claim("weights.bin", aligned, 65536), size=5000)
    assert rules(data) == {"EXTERNAL-DATA-HIDDEN"}


def test_stretches_of_several_claims_add_up():
    _, data = settled(Claim("weights.bin", ((0, 40),)), Claim("./weights.bin", ((40, 60),)))
    assert not data.findings
    assert not data.unread


@pytest.mark.parametrize(
    "location", ["../../etc/passwd", "/etc/passwd", "..", "a/../../../x", "weights.bin\0"]
)
def test_a_place_outside_the_artifact_is_held(location):
    model, data = settled(Claim(location))
    assert rules(model) == {"EXTERNAL-DATA-RANGE"}
    assert data.unread


def test_a_stretch_past_the_end_is_held():
    model, data = settled(Claim("weights.bin", ((0, 101),)))
    assert rules(model) == {"EXTERNAL-DATA-RANGE"}
    assert data.unread


def test_data_that_are_missing_leave_the_model_unread():
    model, _ = settled(Claim("gone.bin", ((0, 1),)))
    assert model.unread
    model, _ = settled(Claim("gone.bin", ((0, 1),), optional=True))
    assert not model.unread


@pytest.mark.parametrize("formats", [("zip",), ("unknown", "zip"), ("native",), ()])
def test_bytes_that_are_something_are_not_let_through(formats):
    _, data = settled(Claim("weights.bin"), formats=formats)
    assert data.unread
    assert data.formats == formats


def test_a_harmful_pickle_is_not_let_through():
    found = Finding("PICKLE-EXEC", Severity.CRITICAL, "m/weights.bin", "calls os.system")
    _, data = settled(Claim("weights.bin"), formats=("pickle",), findings=(found,))
    assert rules(data) == {"PICKLE-EXEC"}
    _, data = settled(Claim("weights.bin"), formats=("pickle",))
    assert data.formats == (RAW_DATA,)


@pytest.mark.parametrize("name", ["m/weights.py", "m/weights.so", "m/weights.pkl"])
def test_a_name_that_asks_for_a_stricter_reading_keeps_it(name):
    _, data = settled(Claim(name.rsplit("/", 1)[1]), name=name)
    assert data.unread


def test_a_worker_cannot_claim_by_malformed_answers():
    plain = {"formats": [], "findings": [], "unread": [], "defines": []}
    good = ["w", [[0, 4]], 1, False]
    assert _read_answer("a", {**plain, "claims": [good]}).claims == [Claim("w", ((0, 4),))]
    for bad in (
        [3, None, 1, False],
        ["w", [[0, -4]], 1, False],
        ["w", [[0, "4"]], 1, False],
        ["w", {}, 1, False],
        ["w", [[0, 4, 5]], 1, False],
        ["w", [[True, 4]], 1, False],
        ["w", None, 1 << 70, False],
        ["w", None, 1, 0],
        ["w"],
    ):
        with pytest.raises((TypeError, ValueError)):
            _read_answer("a", {**plain, "claims": [bad]})


def tarred(files: dict[str, bytes], prefix: str = "./") -> bytes:
    """A compressed tar file, as `tar czf x -C folder .` writes it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


NUMBERS = bytes(range(1, 65))
INDEX = index((b"w", entry(0, 64)))
SHARD = "v/variables.data-00000-of-00001"


@pytest.mark.parametrize("packed", [plain_zip, tarred], ids=["zip", "tar"])
def test_members_of_a_container_are_claimed_by_each_other(packed):
    whole = {"v/variables.index": INDEX, SHARD: NUMBERS}
    assert_clean(scanned(packed(whole), "model.bin"))
    report = scanned(packed({**whole, SHARD: NUMBERS + b"hidden"}))
    assert {one.rule for one in report.findings if one.severity >= Severity.HIGH} == {
        "EXTERNAL-DATA-HIDDEN"
    }
    assert all(one.path == "sample.bin" and one.member for one in report.findings)
    for missing in ({"v/variables.index": INDEX}, {SHARD: NUMBERS}):
        assert scanned(packed(missing)).unread_parts
    elsewhere = {"v/variables.index": INDEX, "w" + SHARD[1:]: NUMBERS}
    assert len(scanned(packed(elsewhere)).unread_parts) == 2
    harmful = {**whole, SHARD: HARMFUL_PICKLE.ljust(64, b"\0")}
    assert any(one.rule.startswith("PICKLE") for one in scanned(packed(harmful)).findings)


def test_a_member_does_not_claim_a_file_beside_its_container(tmp_path):
    (tmp_path / "a.zip").write_bytes(plain_zip({"variables.index": INDEX}))
    (tmp_path / "variables.data-00000-of-00001").write_bytes(NUMBERS)
    assert len(scanned_folder(tmp_path).unread_parts) == 2


def test_a_pickle_that_is_not_read_to_its_end_does_not_pass_as_numbers():
    model = FileResult(("onnx",), claims=[Claim("w")])
    for reason, passes in (
        ("the pickle can't be read on from byte 3: byte 0xff is no opcode", True),
        ("the pickle can't be read on from byte 90000: more than it may", False),
        ("more than 50000 pickle streams one after another", False),
    ):
        data = FileResult(("pickle",), [], [Unread("w", reason)])
        settle({"m": 1, "w": 5}, {"m": model, "w": data})
        assert (not data.unread) is passes


def test_claims_are_bounded(tmp_path):
    report = Report(Limits())
    with (tmp_path / "x").open("w+b") as stream:
        subject = Subject(stream, 0, "a.onnx", "")
        report.claim(subject, "w", ((2 * i, 1) for i in range(200_000)))
    assert report.unread_parts
    assert not report.claims


def test_stretches_join_and_places_resolve():
    assert merged([(5, 5), (0, 5), (20, 1), (2, 4)]) == [(0, 10), (20, 1)]
    assert resolved("a/b.onnx", "c/../d.bin") == "a/d.bin"
    assert resolved("b.onnx", "../d.bin") is None
