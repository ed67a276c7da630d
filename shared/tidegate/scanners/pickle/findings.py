"""From what the machine saw to findings that a person can act on.

Always holds: each thing that the stream names and that is not allowed gives exactly one
finding, under the rule that is gravest for what is done with it. The gravest come first, so
that no flood of small findings crowds them out of a bounded report.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tidegate.scanners.bytecode import concerns, is_model_library, is_risky_module
from tidegate.scanners.callables import Standing, Use, is_known_module
from tidegate.scanners.interface import Report, Severity, Subject
from tidegate.scanners.pickle.trace import Note, Reference, Trace
from tidegate.scanners.pickle.values import clip
from tidegate.scanners.rules import rule_of

_LONGEST_DETAIL = 1000


def report_trace(trace: Trace, subject: Subject, report: Report) -> bool:
    """Report everything; True where none of it is more than information."""
    notes = [*_of_references(trace), *trace.notes]
    graded = [
        (n.severity if n.severity is not None else rule_of(n.rule).severity, n) for n in notes
    ]
    graded.sort(key=lambda pair: (-pair[0], pair[1].offset, pair[1].rule, pair[1].detail or ""))
    for severity, note in graded:
        report.found(
            note.rule,
            subject,
            note.message,
            severity=severity,
            offset=note.offset,
            detail=note.detail,
        )
    if trace.overflowed:
        report.unread(subject, "the pickle names more than the scanner keeps account of")
    return not trace.overflowed and all(severity is Severity.INFO for severity, _ in graded)


def _of_references(trace: Trace) -> Iterator[Note]:
    rebuilders = [
        r
        for r in trace.references.values()
        if r.judgement.reach == "bytecode" and not r.excused_always
    ]
    if rebuilders:
        yield _code_object(rebuilders)
    yield from _of_codes(trace)
    if not trace.carries_code:
        yield from _of_modules(trace)
    for reference in trace.references.values():
        if reference.judgement.reach == "bytecode":
            continue
        note = _note_of(reference)
        if note is not None:
            yield _eased(note, reference) if trace.carries_code else note


def _code_object(rebuilders: list[Reference]) -> Note:
    rebuilders.sort(key=lambda r: (r.use is Use.NAME, r.offset))
    first = rebuilders[0]
    names = ", ".join(clip(r.path) for r in rebuilders[:4])
    return Note(
        "PICKLE-CODE-OBJECT",
        first.offset,
        "The pickle makes functions or classes of byte code in a way in which no honest exporter"
        f" does ({names}).",
        _detail(first),
    )


def _of_codes(trace: Trace) -> Iterator[Note]:
    """One note for each thing that the code reaches; one in all where it reaches nothing."""
    grave = False
    for facts, offset in trace.codes:
        for concern in concerns(facts, trace.modules):
            grave = True
            yield Note(
                "PICKLE-CODE-OBJECT",
                offset,
                f"The function {clip(facts.name)}, which the pickle carries as byte code, names"
                f" {clip(concern.path)}: {concern.reason}.",
                clip(f"{facts.name}: {concern.path}"),
            )
    for facts, offset in trace.codes:
        for module in sorted(facts.imports):
            if module and module.split(".", 1)[0].isidentifier() and not is_known_module(module):
                yield Note(
                    "PICKLE-UNREVIEWED-CODE",
                    offset,
                    f"The function {clip(facts.name)}, which the pickle carries as byte code,"
                    f" imports {clip(module)}, which belongs to no known package.",
                    module,
                )
    if trace.codes and not grave:
        facts, offset = trace.codes[0]
        names = ", ".join(dict.fromkeys(clip(facts.name) for facts, _ in trace.codes[:8]))
        yield Note(
            "PICKLE-CODE-PLAIN",
            offset,
            f"The pickle carries {len(trace.codes)} functions as byte code ({names}); none of"
            " them names processes, the network, files to write, or ways into the interpreter.",
            f"byte code of {clip(facts.name)}",
        )


def _of_modules(trace: Trace) -> Iterator[Note]:
    """Modules come along with the code that uses them; without any, somebody else is to."""
    for module in sorted(trace.modules):
        if is_risky_module(module):
            yield Note(
                "PICKLE-INDIRECT",
                0,
                f"The pickle fetches the module {clip(module)} itself, and carries no code that"
                " would use it.",
                module,
            )


def _eased(note: Note, reference: Reference) -> Note:
    """What code of the pickle's own has among its globals is no more than named by the pickle.

    The functions of the libraries that models are made of may be so named: they do what
    their names say when the code calls them, which is what the code was read for.
    """
    if (
        note.rule == "PICKLE-UNLISTED-GLOBAL"
        and reference.use is Use.NAME
        and is_model_library(reference.module)
    ):
        return replace(note, severity=Severity.MEDIUM)
    return note


def _note_of(reference: Reference) -> Note | None:
    standing = reference.judgement.standing
    if reference.excused_always:
        return None
    if standing is Standing.DANGEROUS:
        return _dangerous(reference)
    path, reason = clip(reference.path), reference.judgement.reason
    if standing is Standing.UNREVIEWED:
        return Note(
            "PICKLE-UNREVIEWED-CODE",
            reference.offset,
            f"The pickle {_does(reference)} {_what(reference)}: {reason}.",
            _detail(reference),
        )
    if standing is Standing.UNLISTED:
        return Note(
            "PICKLE-UNLISTED-GLOBAL",
            reference.offset,
            f"The pickle {_does(reference)} {_what(reference)}: {reason}.",
            _detail(reference),
        )
    if reference.overused:
        does = "called" if reference.use is Use.CALL else "made an instance of"
        return Note(
            "PICKLE-UNLISTED-GLOBAL",
            reference.call_offset,
            f"{path} is {does} in {reference.call}, which honest models do not do with it"
            f" ({reason}).",
            _detail(reference),
        )
    return None


def _dangerous(reference: Reference) -> Note:
    reason, called = reference.judgement.reason, reference.use > Use.NAME
    if not called:
        return Note(
            "PICKLE-DANGEROUS-GLOBAL",
            reference.offset,
            f"The pickle names {clip(reference.path)}: {reason}.",
            _detail(reference),
        )
    rule = "PICKLE-INDIRECT" if reference.judgement.reach == "indirect" else "PICKLE-EXEC"
    return Note(
        rule,
        reference.call_offset,
        f"Loading calls {_what(reference)}: {reason}.",
        _detail(reference),
    )


def _does(reference: Reference) -> str:
    return {Use.NAME: "names", Use.MAKE: "makes an object of", Use.CALL: "calls"}[reference.use]


def _what(reference: Reference) -> str:
    """The call; where another callable hides the name, both."""
    name = clip(reference.path)
    if reference.call is None or reference.use is Use.MAKE:
        return name
    return reference.call if reference.call.startswith(name) else f"{name} in {reference.call}"


def _detail(reference: Reference) -> str:
    """The exact path, which policies compare; a name that is none is cut and escaped."""
    path = reference.path
    return path if path.isprintable() and len(path) <= _LONGEST_DETAIL else clip(path)
