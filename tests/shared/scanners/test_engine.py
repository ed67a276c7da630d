"""A scanner that is killed, hangs, floods, eats memory or is turned gives no pass, ever."""

from __future__ import annotations

import os
import textwrap
import threading
import time
from pathlib import Path

import pytest

from tidegate.artifact import LocalSource, read_manifest
from tidegate.scanners import Evidence, Limits, ScanEngine, Verdict, boot

QUICK = Limits(file_seconds=2.0, total_seconds=20.0, memory=512 << 20)


def scan_with(engine: ScanEngine, path: Path) -> Evidence:
    source = LocalSource(path)
    return engine.scan(source, read_manifest(source))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_text(f"plain text of {name}\n")
    return folder


@pytest.fixture
def turned(monkeypatch: pytest.MonkeyPatch) -> object:
    """Start workers whose reader does what the given code says when it comes to b.txt.

    The code runs where a parser's flaw would let an artifact's code run: in the worker, after
    it has been sealed.
    """

    def turn(code: str) -> None:
        turned_boot = (
            "import sys; sys.path += sys.argv[1:]\n"
            "import ctypes, json, os, pickle, signal, socket, subprocess, time\n"
            "from tidegate.scanners import dispatch, worker\n"
            "from tidegate.scanners.interface import Finding\n"
            "real = dispatch.scan_file\n"
            "def scan_file(stream, size, path, report, limits):\n"
            "    if path == 'b.txt':\n"
            f"{textwrap.indent(textwrap.dedent(code), ' ' * 8)}\n"
            "    return real(stream, size, path, report, limits)\n"
            "dispatch.scan_file = scan_file\n"
            "worker.main()\n"
        )
        monkeypatch.setattr(boot, "_BOOT", turned_boot)

    return turn


def test_plain_files_pass_and_have_their_formats(model: Path) -> None:
    evidence = scan_with(ScanEngine(QUICK), model)
    assert evidence.verdict is Verdict.PASS
    assert [path for path, _ in evidence.formats] == ["a.txt", "b.txt", "c.txt"]
    assert all(name == "text" for _, name in evidence.formats)
    assert dict(evidence.tools).keys() >= {"tidegate", "picklescan"}


def test_the_same_bytes_give_the_same_evidence(model: Path) -> None:
    engine = ScanEngine(QUICK)
    assert scan_with(engine, model).id == scan_with(engine, model).id


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True: pass", "longer than its limit"),
        ("time.sleep(3600)", "longer than its limit"),
        ("os.abort()", "killed (SIGABRT)"),
        ("signal.raise_signal(signal.SIGKILL)", "killed (SIGKILL)"),
        ("os._exit(0)", "ended with status 0"),
        ("x = bytearray(1 << 30)", "more than its limit of 512 MiB"),
        ("x = [bytearray(1 << 20) for _ in range(10**4)]", "more than its limit of 512 MiB"),
        ("raise ValueError('odd')", "ValueError: odd"),
        ("def f(): f()\nf()", "nests too deep"),
        (
            "report.findings += [Finding('R', 0, '', 'x' * 50000)] * 400",
            "more than 8388608 bytes",
        ),
    ],
)  # fmt: skip
def test_a_failing_reader_is_inconclusive_and_the_other_files_are_read(
    model: Path, turned: object, code: str, reason: str
) -> None:
    turned(code)  # type: ignore[operator]
    evidence = scan_with(ScanEngine(QUICK), model)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert [part.path for part in evidence.unread] == ["b.txt"]
    assert reason in evidence.unread[0].reason
    formats = dict(evidence.formats)
    assert formats["a.txt"] == formats["c.txt"] == "text"


@pytest.mark.parametrize(
    "code",
    [
        "os.system('true')",
        "subprocess.run(['true'])",
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
        "socket.socket()",
        "socket.getaddrinfo('localhost', 80)",
        "__import__('sqlite3').connect('/tmp/tidegate-escaped')",
        "open('/tmp/tidegate-escaped', 'w')",
        "os.open('/tmp/tidegate-escaped', os.O_CREAT | os.O_WRONLY)",
        "os.remove('/tmp/tidegate-escaped')",
        "os.kill(os.getppid(), 0)",
        "pickle.loads(b'cbuiltins\\nlen\\n.')",
        "ctypes.CDLL(None)",
        "try:\n    os.system('true')\nexcept BaseException:\n    size = 0",
    ],
)
def test_a_worker_that_tries_to_run_write_or_connect_is_ended_at_once(
    model: Path, turned: object, code: str
) -> None:
    turned(code)  # type: ignore[operator]
    evidence = scan_with(ScanEngine(QUICK), model)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "ended by its own guard" in evidence.unread[0].reason
    assert not Path("/tmp/tidegate-escaped").exists()


@pytest.mark.parametrize(
    "answer",
    [
        "not json",
        "[]",
        "{}",
        '{"formats": [], "findings": [["NO-SUCH-RULE", 0, null, null, null, ""]], "unread": []}',
        '{"formats": [], "findings": [["PICKLE-EXEC", 99, null, null, null, ""]], "unread": []}',
        '{"formats": [1], "findings": [], "unread": []}',
        '{"formats": [], "findings": [], "unread": [[null]]}',
        '{"formats": [], "findings": [["PICKLE-EXEC", 4, null, Infinity, null, ""]], "unread": []}',
        "[" * 100_000,
    ],
)
def test_an_answer_that_is_not_of_the_form_is_no_answer(
    model: Path, turned: object, answer: str
) -> None:
    turned(  # type: ignore[operator]
        f"worker._send = lambda answers, _: (answers.write({answer!r}.encode() + b'\\n'), "
        "answers.flush())"
    )
    evidence = scan_with(ScanEngine(QUICK), model)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("no readable answer" in part.reason for part in evidence.unread)


def test_a_file_whose_answer_is_lost_by_a_flaw_of_ours_is_not_taken_for_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidegate.scanners import engine

    for index in range(130):
        (tmp_path / f"{index:03}.txt").write_text("x")
    real = engine._read_answer

    def lose_one(path: str, answer: dict[str, object]) -> object:
        if path == "100.txt":
            raise RuntimeError("a flaw")
        return real(path, answer)

    monkeypatch.setattr(engine, "_read_answer", lose_one)
    evidence = scan_with(ScanEngine(QUICK), tmp_path)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert [part.path for part in evidence.unread] == ["100.txt"]


def test_what_a_reader_prints_is_not_taken_for_its_answer(model: Path, turned: object) -> None:
    turned('os.write(1, b\'{"formats": ["forged"], "findings": [], "unread": []}\\n\')')  # type: ignore[operator]
    evidence = scan_with(ScanEngine(QUICK), model)
    assert dict(evidence.formats)["b.txt"] == "text"


def test_a_reader_sees_none_of_the_servers_environment(
    model: Path, turned: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "top-secret")
    turned("raise ValueError(','.join(sorted(os.environ)))")  # type: ignore[operator]
    evidence = scan_with(ScanEngine(QUICK), model)
    assert "AWS_SECRET" not in evidence.unread[0].reason
    assert "PATH" in evidence.unread[0].reason


def test_an_artifact_that_breaks_its_reader_again_and_again_is_given_up(
    tmp_path: Path, turned: object
) -> None:
    for index in range(30):
        (tmp_path / f"{index:02}.txt").write_text("x")
    turned("")  # type: ignore[operator]
    boot._BOOT = boot._BOOT.replace("if path == 'b.txt':", "if True: os.abort()\n    if 0:")
    evidence = scan_with(ScanEngine(QUICK), tmp_path)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert len({part.path for part in evidence.unread}) == 30
    assert any("failed too often" in part.reason for part in evidence.unread)


def test_files_beyond_the_artifacts_time_are_named_as_not_reached(
    model: Path, turned: object
) -> None:
    turned("time.sleep(3600)")  # type: ignore[operator]
    limits = Limits(file_seconds=5.0, total_seconds=1.5)
    evidence = scan_with(ScanEngine(limits), model)
    reasons = {part.path: part.reason for part in evidence.unread}
    assert "not reached within" in reasons["c.txt"]


def test_a_file_swapped_between_hashing_and_scanning_is_inconclusive(model: Path) -> None:
    source = LocalSource(model)
    manifest = read_manifest(source)
    (model / "b.txt").write_text("something else\n")
    evidence = ScanEngine(QUICK).scan(source, manifest)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "replaced or written" in evidence.unread[0].reason


def test_a_worker_is_used_for_one_artifact_only(model: Path, turned: object) -> None:
    turned("raise ValueError(os.getpid())")  # type: ignore[operator]
    engine = ScanEngine(QUICK, keep_spare=True)
    try:
        reasons = {scan_with(engine, model).unread[0].reason for _ in range(3)}
    finally:
        engine.close()
    assert len(reasons) == 3


def test_scans_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    engine = ScanEngine(QUICK, keep_spare=True)
    found: dict[int, Evidence] = {}

    def scan_one(index: int) -> None:
        folder = tmp_path / str(index)
        folder.mkdir()
        (folder / f"{index}.txt").write_text(f"text {index}\n")
        found[index] = scan_with(engine, folder)

    threads = [threading.Thread(target=scan_one, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.close()
    assert {i: e.formats for i, e in found.items()} == {
        i: ((f"{i}.txt", "text"),) for i in range(6)
    }


def test_no_worker_is_left_behind(model: Path) -> None:
    engine = ScanEngine(QUICK, keep_spare=True)
    scan_with(engine, model)
    spare = engine._pool._spare
    assert spare is not None
    pid = spare._process.pid
    engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_engine_that_was_forked_leaves_its_parents_worker_alone(model: Path) -> None:
    engine = ScanEngine(QUICK, keep_spare=True)
    engine.prepare()
    child = os.fork()
    if child == 0:
        verdict = scan_with(engine, model).verdict
        engine.close()
        os._exit(0 if verdict is Verdict.PASS else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert scan_with(engine, model).verdict is Verdict.PASS
    engine.close()


def test_a_scan_begun_before_hashing_gives_the_same_evidence(model: Path) -> None:
    engine = ScanEngine(QUICK)
    source = LocalSource(model)
    pending = engine.begin(source)
    manifest = read_manifest(source)
    assert pending.evidence(manifest) == engine.scan(source, manifest)


def test_a_scan_that_is_given_up_ends_its_workers_at_once(model: Path, turned: object) -> None:
    turned("time.sleep(3600)")  # type: ignore[operator]
    pending = ScanEngine(Limits(file_seconds=300.0)).begin(LocalSource(model))
    started = time.monotonic()
    pending.cancel()
    assert time.monotonic() - started < 60
    assert not [t for t in threading.enumerate() if t.name == "tidegate-scan"]
