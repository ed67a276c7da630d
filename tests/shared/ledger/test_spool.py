"""What waits for a ledger survives crashes, is sent in order and once, and is never dropped."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from samples.ledger_records import a_step

from tidegate.errors import AccessRefusedError, LedgerUnavailableError, OperatorError, UsageError
from tidegate.ledger import Ledger
from tidegate.ledger.spool import Spool, keep_step
from tidegate.ledger.step_message import step_to_message


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    monkeypatch.setenv("TIDEGATE_SPOOL", str(tmp_path / "spool"))
    return Spool.open()


class Taking:
    """Stands for a ledger: takes steps, or fails as it is told."""

    url = "https://console.example.com"

    def __init__(self, *failures: Exception | None) -> None:
        self.taken: list[str] = []
        self._failures = list(failures)

    def record_step(self, step) -> bool:
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        self.taken.append(step.id)
        return True


def entries(spool: Spool) -> list[Path]:
    return sorted(spool.folder.glob("[0-9]*.json"))


def keep(spool: Spool, *numbers: int, ledger: str = Taking.url) -> list[str]:
    for number in numbers:
        keep_step(a_step(number), ledger=ledger)
    return [a_step(number).id for number in numbers]


def test_steps_are_sent_in_the_order_in_which_they_were_kept(spool: Spool) -> None:
    ids = keep(spool, 3, 1, 2)
    ledger = Taking()
    flushed = spool.flush(ledger)
    assert (flushed.sent, flushed.waiting, ledger.taken) == (3, 0, ids)
    assert entries(spool) == []


def test_a_step_is_recorded_once_by_a_ledger_in_a_database(spool: Spool, ledger: Ledger) -> None:
    (step_id,) = keep(spool, 1, ledger=ledger.url)
    ledger.record_step(a_step(1))
    assert spool.flush(ledger).sent == 1
    assert ledger.step(step_id) == a_step(1)


def test_what_a_ledger_that_is_away_does_not_take_goes_on_waiting(spool: Spool) -> None:
    ids = keep(spool, 1, 2, 3)
    for gone in (LedgerUnavailableError("away"), AccessRefusedError("ended"), OperatorError("x")):
        ledger = Taking(gone)
        flushed = spool.flush(ledger)
        assert (flushed.sent, flushed.waiting, flushed.stopped) == (0, 3, gone.message)
        assert ledger.taken == [], "a later one never goes before an earlier one"
    assert spool.flush(Taking(None, LedgerUnavailableError("away"))).waiting == 2
    ledger = Taking()
    spool.flush(ledger)
    assert ledger.taken == ids[1:]


def test_what_waits_for_another_ledger_is_left_to_it(spool: Spool) -> None:
    keep(spool, 1, ledger="https://other.example.com")
    keep(spool, 2)
    ledger = Taking()
    assert (spool.flush(ledger).sent, ledger.taken) == (1, [a_step(2).id])
    assert spool.status().waiting == (("https://other.example.com", 1),)


def test_what_is_refused_is_set_aside_with_the_reason_and_holds_up_nobody(spool: Spool) -> None:
    ids = keep(spool, 1, 2)
    ledger = Taking(UsageError("the step ran in a time that is yet to come"))
    flushed = spool.flush(ledger)
    assert (flushed.sent, flushed.waiting, ledger.taken) == (1, 0, ids[1:])
    (aside,) = flushed.set_aside
    assert "yet to come" in aside.reason
    assert spool.status().set_aside == (aside,)
    assert (spool.folder / "set-aside" / aside.name).exists()
    assert "yet to come" in (spool.folder / "set-aside" / f"{aside.name}.reason.txt").read_text()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: data[: len(data) // 2], "cut off"),
        (lambda data: data[:-1], "cut off"),
        (lambda data: b"", "cut off"),
        (lambda data: data + b"more", "cut off"),
        (lambda data: data.replace(b"train-1", b"train-9"), "altered"),
        (lambda data: b"0" * 64 + data[64:], "altered"),
    ],
)
def test_an_entry_that_was_damaged_is_set_aside_and_never_sent(spool: Spool, damage, why) -> None:
    keep(spool, 1)
    (entry,) = entries(spool)
    entry.write_bytes(damage(entry.read_bytes()))
    ledger = Taking()
    flushed = spool.flush(ledger)
    assert (flushed.sent, ledger.taken) == (0, [])
    assert why in flushed.set_aside[0].reason
    assert (spool.folder / "set-aside" / entry.name).exists()


@pytest.mark.parametrize("form", ["link", "pipe", "folder"])
def test_what_is_no_file_of_the_users_is_set_aside(spool: Spool, tmp_path: Path, form: str) -> None:
    keep(spool, 1)
    (entry,) = entries(spool)
    elsewhere = tmp_path / "elsewhere.json"
    entry.rename(elsewhere)
    if form == "link":
        entry.symlink_to(elsewhere)
    elif form == "pipe":
        os.mkfifo(entry)
    else:
        entry.mkdir()
    ledger = Taking()
    assert len(spool.flush(ledger).set_aside) == 1
    assert ledger.taken == []
    assert elsewhere.exists()


def test_a_folder_that_others_may_write_to_is_not_used(spool: Spool) -> None:
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    spool.folder.chmod(0o777)
    with pytest.raises(OperatorError, match="others may write"):
        Spool.open()


def test_entries_can_be_read_by_their_owner_alone(spool: Spool) -> None:
    keep(spool, 1)
    assert stat.S_IMODE(entries(spool)[0].stat().st_mode) == 0o600


def test_a_decision_can_not_wait(spool: Spool) -> None:
    with pytest.raises(UsageError, match="can't wait"):
        spool.keep("decision", {}, ledger=Taking.url, key="x")
    assert entries(spool) == []


def test_a_process_killed_while_it_keeps_leaves_whole_entries_only(spool: Spool) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from samples.ledger_records import a_step\n"
        "from tidegate.ledger.spool import keep_step\n"
        "print('ready', flush=True)\n"
        "for number in range(1, 100000):\n"
        f"    keep_step(a_step(number), ledger={Taking.url!r})\n"
        "    print(number, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.readlines()
    process.wait(20)
    acknowledged = int([line for line in told if line.endswith(b"\n")][-1])
    ledger = Taking()
    flushed = spool.flush(ledger)
    assert flushed.set_aside == ()
    assert ledger.taken[:acknowledged] == [a_step(n).id for n in range(1, acknowledged + 1)]


def test_a_message_is_the_step_again(spool: Spool) -> None:
    from tidegate.ledger.step_message import step_from_message

    assert step_from_message(step_to_message(a_step(1))) == a_step(1)


def test_what_is_kept_again_waits_once(spool: Spool) -> None:
    first = spool.keep("evidence", {"a": 1}, ledger=Taking.url, key="first-key")
    assert spool.keep("evidence", {"a": 1}, ledger=Taking.url, key="second-key") == first
    spool.keep("evidence", {"a": 1}, ledger="https://other.example.com", key="third-key")
    spool.keep("evidence", {"a": 2}, ledger=Taking.url, key="fourth-key")
    assert len(entries(spool)) == 3


def test_the_order_stands_where_the_clock_was_set_back(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([30, 20, 10])
    monkeypatch.setattr("tidegate.ledger.spool.time.time_ns", lambda: next(times))
    ids = keep(spool, 1, 2, 3)
    ledger = Taking()
    spool.flush(ledger)
    assert ledger.taken == ids
