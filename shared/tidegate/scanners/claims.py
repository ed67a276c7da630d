"""Raw data that one file of an artifact describes and another holds.

An ONNX model's weights, the shards of a TensorFlow checkpoint or the `.bin` of an OpenVINO model
are numbers without a format: read alone they are unknown bytes, and unread. The file that
describes them says so with `Report.claim`, in its own worker; what follows from the claims of all
files is worked out here, after the last of them, and nothing is read again.

Always holds: this is a pure function of what the readers reported. A claim lets a file through
only where no reader knew its bytes as anything else, its name asks for no stricter reading, and
nothing grave was found in it; so it takes away the `unread` of unknown bytes and of a pickle that
random numbers began like, and no finding above that. Bytes of a claimed file that no claim covers
are held, and so is a claim on a file that is not there, is too short, or lies outside the artifact.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tidegate.artifact.formats.names import by_name
from tidegate.scanners.interface import Claim, Finding, Report, Severity, Unread
from tidegate.scanners.rules import rule_of

RAW_DATA = "raw-data"
"""The format of a file that others describe and that has none of its own."""

_BROKEN = re.compile(r"the pickle can't be read on from byte (\d{1,18}):")
_SOON = 4096
_FORMLESS: tuple[set[str], ...] = (set(), {"unknown"}, {"pickle"})
# A chunk of an array is often compressed, and a file of chunks may end with what describes them.
_OF_CHUNKS = frozenset({"bz2", "gzip", "lz4", "ocdbt", "zlib", "zstd"})


@dataclass(slots=True)
class FileResult:
    """What the reader of one file reported."""

    formats: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    defines: list[str] = field(default_factory=list)


def resolved(claimant: str, location: str) -> str | None:
    """The path in the artifact that `location` means beside `claimant`; None where it leads out."""
    container, mark, inner = claimant.rpartition("!")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(inner), location))
    outside = path.startswith(("/", "../")) or path in {"..", "."}
    return None if outside or "\0" in path else container + mark + path


def settle(sizes: Mapping[str, int], results: Mapping[str, FileResult]) -> None:
    """Apply the claims of all files to the results, in place.

    Args:
        sizes: the artifact's files and their sizes in bytes.
        results: what each of them came to.
    """
    claims: dict[str, list[Claim]] = {}
    # What a file's own reader accounts for lets nothing through, and is no hidden data either.
    own: dict[str, list[Claim]] = {}
    for claimant, result in results.items():
        for claim in result.claims:
            path = resolved(claimant, claim.location)
            problem = _problem(path, claim, sizes)
            if problem is not None:
                _hold(claimant, claim, problem, result)
            elif path is not None and path in results:
                (own if path == claimant else claims).setdefault(path, []).append(claim)
    for path, made in claims.items():
        result = results[path]
        mine = own.get(path, [])
        uncovered = _uncovered([*made, *mine], sizes[path]) or _shifted(made, mine)
        if uncovered is not None:
            start, end = uncovered
            _add(
                result,
                Finding(
                    "EXTERNAL-DATA-HIDDEN",
                    rule_of("EXTERNAL-DATA-HIDDEN").severity,
                    path,
                    f"Bytes {start} to {end} belong to nothing that the model describes.",
                    offset=start,
                    detail=f"{start}-{end}",
                ),
            )
        _pass_raw(path, result)


def settle_members(path: str, report: Report) -> None:
    """The same for the members of the containers in one file, in the report on it."""
    results = {
        member: FileResult(tuple(sorted(formats)))
        for member, (_, formats) in report.members.items()
    }
    for claim in report.claims:
        if claim.member is not None and claim.member in results:
            results[claim.member].claims.append(claim)
    others = FileResult()
    for finding in report.findings:
        _result_of(finding.member, results, others).findings.append(finding)
    for part in report.unread_parts:
        _result_of(part.member, results, others).unread.append(part)
    # Of two members whose names come to the same, the later one is nobody's.
    places = {_plain(member): member for member in reversed(results)}
    settle(
        {place: report.members[member][0] for place, member in places.items()},
        {place: results[member] for place, member in places.items()},
    )
    report.claims = [claim for claim in report.claims if claim.member is None]
    report.findings = [
        finding if finding.member is not None else replace(finding, path=path, member=member)
        for member, result in results.items()
        for finding in result.findings
    ] + others.findings
    report.unread_parts = [
        part if part.member is not None else replace(part, path=path, member=member)
        for member, result in results.items()
        for part in result.unread
    ] + others.unread


def _plain(member: str) -> str:
    """The member's name without "./" and the like, as claims on it are resolved."""
    container, mark, inner = member.rpartition("!")
    return container + mark + posixpath.normpath(inner)


def _result_of(
    member: str | None, results: Mapping[str, FileResult], others: FileResult
) -> FileResult:
    """The result of the member, or of the one that it was found inside."""
    while member:
        if member in results:
            return results[member]
        member = member.rpartition("!")[0]
    return others


def _problem(path: str | None, claim: Claim, sizes: Mapping[str, int]) -> str | None:
    if path is None:
        return "lies outside the artifact"
    if path not in sizes:
        return None if claim.optional else "is not part of the artifact"
    last = max((start + length for start, length in claim.ranges or ()), default=0)
    if last > sizes[path]:
        return f"has {sizes[path]} bytes, and {last} are described"
    return None


def _hold(claimant: str, claim: Claim, problem: str, result: FileResult) -> None:
    from tidegate.scanners.streams import shown

    if problem.startswith("is not part"):
        result.unread.append(
            Unread(claimant, f"its data file {shown(claim.location)} {problem}", None)
        )
        return
    _add(
        result,
        Finding(
            "EXTERNAL-DATA-RANGE",
            rule_of("EXTERNAL-DATA-RANGE").severity,
            claimant,
            f"The data file {shown(claim.location)} {problem}.",
            detail=shown(claim.location, 200),
        ),
    )


def _add(result: FileResult, finding: Finding) -> None:
    if finding not in result.findings:
        result.findings.append(finding)


def _uncovered(claims: list[Claim], size: int) -> tuple[int, int] | None:
    """The first stretch that no claim covers and that is no padding, as start and end."""
    if any(claim.ranges is None for claim in claims):
        return None
    alignment = max(claim.alignment for claim in claims)
    at = 0
    for start, length in merged(pair for claim in claims for pair in claim.ranges or ()):
        if start > at and not (start - at < alignment and start % _unit(alignment) == 0):
            return at, start
        at = max(at, start + length)
    if size > at and not (size - at < alignment and size % _unit(alignment) == 0):
        return at, size
    return None


def _shifted(claims: list[Claim], own: list[Claim]) -> tuple[int, int] | None:
    """A stretch of the file's own that others claim in part: its bytes have been moved."""
    if any(claim.ranges is None for claim in claims):
        return None
    claimed = merged(pair for claim in claims for pair in claim.ranges or ())
    for start, length in (pair for claim in own for pair in claim.ranges or ()):
        end = start + length
        for first, size in claimed:
            overlaps = first < end and start < first + size
            if overlaps and not (first <= start and end <= first + size):
                return start, end
    return None


def _unit(alignment: int) -> int:
    """What a padded start is a multiple of at least: writers round up to pages of 4096 bytes."""
    return min(alignment, 4096)


def _pass_raw(path: str, result: FileResult) -> None:
    base = path.rsplit("/", 1)[-1]
    formless = set(result.formats) - _OF_CHUNKS in _FORMLESS
    if not formless or not result.formats or any(by_name(base, [])):
        return
    if any(finding.severity >= Severity.HIGH for finding in result.findings):
        return
    if result.formats == ("pickle",) and not all(map(_is_chance, result.unread)):
        return
    result.formats = (RAW_DATA,)
    result.findings.clear()
    result.unread.clear()


def _is_chance(part: Unread) -> bool:
    """Whether a pickle ended as random numbers do that begin like one: after a few opcodes."""
    broken = _BROKEN.match(part.reason)
    return broken is not None and int(broken[1]) < _SOON


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same stretches (start and length) in order, with those that touch or overlap joined."""
    joined: list[tuple[int, int]] = []
    for start, length in sorted(ranges):
        if joined and start <= joined[-1][0] + joined[-1][1]:
            first, before = joined[-1]
            joined[-1] = (first, max(before, start + length - first))
        else:
            joined.append((start, length))
    return joined
