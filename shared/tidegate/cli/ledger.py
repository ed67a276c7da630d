"""`tidegate ledger`: whether anybody changed the record, and what of it is kept elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from tidegate.cli.options import format_option, ledger_option, ledger_url
from tidegate.cli.output import emit, emit_error, working
from tidegate.cli.spool import command as spool
from tidegate.errors import TamperedError, UsageError
from tidegate.policy.explain import printable

if TYPE_CHECKING:
    from tidegate.ledger import Ledger, RemoteLedger
    from tidegate.ledger.audit import Report
    from tidegate.ledger.bundle import Comparison

_NOTE_LIMIT = 1 << 16
_LINE_LIMIT = 64 << 20
_SHOWN = 50
_TRIES = 5
TAMPERED = 1


@click.group("ledger")
def command() -> None:
    """The signed log over all that is recorded.

    Every record is covered by a signed statement, and every statement by a Merkle tree. So an
    edited, deleted, moved or inserted row is found. Whoever owns the database could still put an
    older state of it in its place: a checkpoint that is kept elsewhere tells.
    """


@command.command("verify")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="FILE",
    help="An earlier checkpoint, which the log must be a continuation of. May be repeated.",
)
@format_option("text", "json")
@ledger_option
def verify(checkpoints: tuple[str, ...], form: str, ledger: str | None) -> int:
    """Look at every record, statement, signature and hash.

    Whose signatures count is what TIDEGATE_TRUSTED_KEYS lists, or else your own key alone.

    Exit code 0 where nothing was changed, 1 where something was, 2 where a checkpoint or key list
    can't be used, 3 where the ledger can't be read.
    """
    from tidegate.attestation.own_key import trusted_keys
    from tidegate.ledger.audit import audit

    notes = [_read_note(name) for name in checkpoints]
    with _open(ledger) as opened, working("Verifying the ledger"):
        report = audit(opened, trusted_keys(), checkpoints=notes)
        where = opened.url
    emit(_report_json(report) if form == "json" else _report_text(report, where, bool(notes)))
    return TAMPERED if report.problem_count else 0


@command.command("checkpoint")
@click.option(
    "--to",
    "place",
    metavar="FILE|https://…",
    help="Keep it there instead of printing it.",
)
@click.option("--post", is_flag=True, help="Send to the address with POST instead of PUT.")
@click.option("-o", "--output", metavar="FILE", help="The same as --to FILE.")
@ledger_option
def checkpoint(place: str | None, output: str | None, ledger: str | None, *, post: bool) -> int:
    """Print the log's size and root, signed (C2SP tlog-checkpoint), or keep it elsewhere.

    Keep it where nobody can write who can write to the ledger. A checkpoint that stands at the
    place is replaced only by one of the same log, grown. For an address, TIDEGATE_CHECKPOINT_TOKEN
    is the bearer token, and the one that stands there is replaced only if it is still the one that
    was looked at (If-Match).

    Exit code 1 where the log is not the continuation of the one that stands there.
    """
    if place is not None and output is not None:
        raise click.UsageError("give one of --to and --output")
    target = place if place is not None else output
    with _open_anywhere(ledger) as opened:
        try:
            if target is None:
                emit(opened.checkpoint())
            else:
                _keep(opened, target, post=post)
        except TamperedError as error:
            emit_error(error.explain())
            return TAMPERED
    return 0


def _keep(ledger: Ledger | RemoteLedger, target: str, *, post: bool) -> None:
    """Put the ledger's checkpoint where it is kept; again, where somebody else was faster."""
    from tidegate.ledger.checkpoint_place import OvertakenError, place_of

    place = place_of(target, post=post)
    for left in range(_TRIES - 1, -1, -1):
        with place.turn():
            before = place.read()
            try:
                place.write(ledger.checkpoint(after=before.note), before)
            except OvertakenError:
                if not left:
                    raise
            else:
                return


@command.command("export")
@click.argument("file", metavar="FILE")
@ledger_option
def export(file: str, ledger: str | None) -> None:
    """Write all statements to FILE, one DSSE envelope a line (an in-toto bundle).

    FILE must not be there yet; - writes to standard output.
    """
    from tidegate.ledger.bundle import export as lines

    with _open(ledger) as opened:
        if file == "-":
            for line in lines(opened):
                emit(line)
            return
        try:
            with Path(file).open("x", encoding="utf-8") as target:
                target.writelines(lines(opened))
        except OSError as error:
            raise UsageError(
                f"the file {file!r} can't be written: {error.strerror}",
                remedy="name a new file, in a folder that you may write to",
            ) from error


@command.command("compare")
@click.argument("file", metavar="FILE")
@format_option("text", "json")
@ledger_option
def compare(file: str, form: str, ledger: str | None) -> int:
    """Hold a bundle from `ledger export` against this ledger; neither is changed.

    Exit code 0 where both have the same statements, 1 where one lacks some or a line of the bundle
    is not signed by a key that counts.
    """
    from tidegate.attestation.own_key import trusted_keys
    from tidegate.ledger.bundle import compare as compared

    try:
        with Path(file).open("rb") as source, _open(ledger) as opened:
            found = compared(opened, _lines(source), trusted_keys())
    except OSError as error:
        raise UsageError(f"the bundle {file!r} can't be read: {error.strerror}") from error
    emit(_comparison_json(found) if form == "json" else _comparison_text(found))
    return 0 if found.same else TAMPERED


@command.command("key")
@ledger_option
def key(ledger: str | None) -> None:
    """Print the public key that signs here, and its entry for a key list."""
    from tidegate.attestation.checkpoint import verifier_key
    from tidegate.attestation.keys import KeyList, TrustedKey
    from tidegate.attestation.own_key import TRUSTED_KEYS, signing_key
    from tidegate.settings import read_settings

    public = signing_key().public
    owner = read_settings().acting_user()
    emit(f"Key {public.id}\n\n{public.pem}\n")
    with _open(ledger) as opened:
        origin = opened.origin()
    if origin is not None and public.key.keytype == "ed25519":
        vkey = verifier_key(origin, public)
        emit(f"As a verifier key for this ledger's checkpoints:\n\n{vkey}\n\n")
    entry = json.dumps(KeyList([TrustedKey(public, owner)]).to_dict(), indent=2)
    emit(
        f"As a key list, for a file that {TRUSTED_KEYS} names. Put one entry for each machine and\n"
        'person that writes to the ledger; "since" and "until" (ISO 8601) bound a key\'s time:\n\n'
        f"{entry}\n"
    )


def _open(ledger: str | None) -> Ledger:
    from tidegate.ledger import Ledger

    opened = _open_anywhere(ledger)
    if isinstance(opened, Ledger):
        return opened
    raise UsageError(
        "that needs the ledger's database, and this is a console's address",
        remedy="run it where the database is, with its URL in TIDEGATE_LEDGER",
    )


def _open_anywhere(ledger: str | None) -> Ledger | RemoteLedger:
    from tidegate.ledger import Ledger, RemoteLedger, is_remote
    from tidegate.settings import read_settings

    url = ledger_url(ledger) or read_settings().ledger_url()
    return RemoteLedger.open(url) if is_remote(url) else Ledger.open_to_audit(url)


def _read_note(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            return file.read(_NOTE_LIMIT).decode()
    except OSError as error:
        raise UsageError(
            f"the checkpoint {name!r} can't be read: {error.strerror}",
            remedy="give a file that `tidegate ledger checkpoint --output FILE` wrote",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the file {name!r} is no checkpoint") from error


def _lines(source: BinaryIO) -> Iterator[bytes]:
    while line := source.readline(_LINE_LIMIT + 2):
        if line.strip():
            yield line


def _report_text(report: Report, where: str, has_checkpoint: bool) -> str:
    lines = [printable(f"{problem.kind}: {problem}") for problem in report.problems[:_SHOWN]]
    if report.problem_count > len(lines):
        lines.append(f"… and {report.problem_count - len(lines)} more (--format json names 1,000)")
    counted = f"{report.statements} statements over {report.rows} records in {where}"
    if report.problem_count:
        lines.append(f"TAMPERED: {report.problem_count} problems; {counted}.")
    else:
        lines.append(f"Nothing was changed: {counted}.")
    if any(problem.kind == "unsigned" for problem in report.problems):
        lines.append(
            "Statements of other machines or people count once their keys are in the list that "
            "TIDEGATE_TRUSTED_KEYS names."
        )
    if report.adopted:
        lines.append(
            f"{report.adopted} records are from before there were statements: sure only since then."
        )
    if has_checkpoint:
        lines.append(f"The checkpoint speaks for {report.fixed} of {report.statements} statements.")
    else:
        lines.append(
            "No checkpoint was given: that nothing was cut off at the end, or that the holder of "
            "the\nkey did not write it all anew, is not shown. `tidegate ledger checkpoint` makes "
            "one to keep elsewhere."
        )
    return "\n".join(lines) + "\n"


def _report_json(report: Report) -> str:
    data = {
        "schema": 1,
        "verdict": "fail" if report.problem_count else "pass",
        "statements": report.statements,
        "records": report.rows,
        "adopted": report.adopted,
        "fixed_by_checkpoint": report.fixed,
        "problem_count": report.problem_count,
        "problems": [
            {"kind": each.kind, "table": each.table, "key": each.key, "message": each.message}
            for each in report.problems
        ],
    }
    return json.dumps(data, indent=2) + "\n"


def _comparison_text(found: Comparison) -> str:
    lines = [f"not signed by a key that counts: {each}" for each in found.unbelieved[:_SHOWN]]
    lines += [
        f"only in the {each.where}: statement {each.number}, {each.predicate_type}, {each.subject}"
        for each in found.differences[:_SHOWN]
    ]
    lines.append(
        f"{found.shared} statements on both sides, {found.only_in_ledger} only in the ledger, "
        f"{found.only_in_bundle} only in the bundle."
    )
    return "".join(f"{printable(line)}\n" for line in lines)


def _comparison_json(found: Comparison) -> str:
    data = {
        "schema": 1,
        "same": found.same,
        "shared": found.shared,
        "only_in_ledger": found.only_in_ledger,
        "only_in_bundle": found.only_in_bundle,
        "differences": [
            {
                "where": each.where,
                "number": each.number,
                "predicate_type": each.predicate_type,
                "subject": each.subject,
            }
            for each in found.differences
        ],
        "unbelieved": list(found.unbelieved),
    }
    return json.dumps(data, indent=2) + "\n"


command.add_command(compare, "import")
command.add_command(spool)
