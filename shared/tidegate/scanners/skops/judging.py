"""What the standing of a type means for a skops file.

Types that skops writes and pickles do not (ufuncs under the names skops finds for them) stand in
`data/skops_types.json`, made by `tools/skops_types.py`; everything else is judged by the lists
that pickles are judged by.
"""

from __future__ import annotations

from functools import cache

from tidegate.scanners.callables import Standing, Use, judge
from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.streams import shown
from tidegate.scanners.tables import read_table


@cache
def _skops_types() -> dict[tuple[str, str], Use]:
    table = read_table("skops_types.json")
    return {
        (row["module"], name): Use[row["use"].upper()]
        for row in table["callables"]
        for name in row["names"]
    }


def report_type(
    module: str, name: str, use: Use, what: str, subject: Subject, report: Report
) -> None:
    """Report `module.name` unless it is known to be harmless for that use.

    `what` completes the sentence "module.name ..." with what loading does with it.
    """
    if _skops_types().get((module, name), 0) >= use:
        return
    judgement = judge(module, name)
    if judgement.standing is Standing.ALLOWED and judgement.use >= use:
        return
    rule = {
        Standing.DANGEROUS: "SKOPS-EXEC",
        Standing.UNREVIEWED: "SKOPS-UNREVIEWED-CODE",
    }.get(judgement.standing, "SKOPS-UNTRUSTED-TYPE")
    qualified = f"{module}.{name}"
    if judgement.standing is Standing.ALLOWED:
        reason = f"it may be referred to, but not {use.label}d"
    else:
        reason = judgement.reason
    report.found(
        rule,
        subject,
        f"{shown(qualified)} {what}: {reason}.",
        detail=shown(qualified, 500),
    )
