"""`tidegate ledger spool`: what waits on this machine for a ledger that was away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tidegate.cli.options import format_option, ledger_option, open_ledger
from tidegate.cli.output import emit, emit_error
from tidegate.policy.explain import printable

if TYPE_CHECKING:
    from tidegate.ledger.spool import SetAside

WAITING = 3


@click.group("spool")
def command() -> None:
    """Steps and evidence that wait on this machine until their ledger is back.

    The folder is in your data folder, or where TIDEGATE_SPOOL says. Nothing in it is on record.
    """


@command.command("status")
@format_option("text", "json")
def status(form: str) -> int:
    """Say what waits, and what was set aside because it was altered or refused.

    Exit code 0 where nothing waits and nothing was set aside, 3 otherwise.
    """
    from tidegate.ledger.spool import Spool

    found = Spool.open().status()
    if form == "json":
        data = {
            "schema": 1,
            "folder": found.folder,
            "waiting": [{"ledger": name, "entries": count} for name, count in found.waiting],
            "set_aside": [_row(each) for each in found.set_aside],
        }
        emit(json.dumps(data, indent=2) + "\n")
    else:
        emit(f"{printable(found.folder)}\n")
        for name, count in found.waiting:
            emit(f"{count} waiting for {printable(name)}\n")
        if not found.waiting:
            emit("Nothing waits.\n")
        emit("".join(map(_line, found.set_aside)))
    return WAITING if found.waiting or found.set_aside else 0


@command.command("flush")
@format_option("text", "json")
@ledger_option
def flush(form: str, ledger: str | None) -> int:
    """Send what waits for this ledger, the oldest first.

    Each entry is recorded once, however often it is sent. What the ledger refuses, or was altered
    in the folder, is set aside with the reason.

    Exit code 0 where all of it is on record, 3 where something still waits or was set aside.
    """
    from tidegate.ledger.spool import Spool

    spool = Spool.open()
    with open_ledger(ledger, make=True) as opened:
        done = spool.flush(opened)
    if form == "json":
        data = {
            "schema": 1,
            "sent": done.sent,
            "waiting": done.waiting,
            "stopped": done.stopped,
            "set_aside": [_row(each) for each in done.set_aside],
        }
        emit(json.dumps(data, indent=2) + "\n")
    else:
        emit(f"{done.sent} sent, {done.waiting} still waiting, {len(done.set_aside)} set aside.\n")
    for each in done.set_aside:
        emit_error(_line(each).rstrip("\n"))
    if done.stopped is not None:
        emit_error(f"The rest waits: {printable(done.stopped)}")
    return WAITING if done.waiting or done.set_aside else 0


def _line(each: SetAside) -> str:
    return f"set aside: {each.name}: {printable(each.reason)}\n"


def _row(each: SetAside) -> dict[str, str]:
    return {"entry": each.name, "reason": each.reason}
