"""Base scores of CVSS vectors, after FIRST's specifications of versions 3.0, 3.1 and 4.0.

https://www.first.org/cvss/v3.1/specification-document (section 7) and
https://www.first.org/cvss/v4.0/specification-document (section 8). The numbers stand in `data/`.
Only base metrics are scored: an advisory is about a library, not about anybody's installation.

Always holds: a vector that is not whole, or names a value that there is not, has no score.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from tidegate.scanners.interface import Severity

_LONGEST = 400


def score_of(vector: str) -> float | None:
    """The base score, from 0.0 to 10.0; None for what is no CVSS vector of version 3 or 4."""
    head, _, rest = vector[: _LONGEST + 1].partition("/")
    if len(vector) > _LONGEST:
        return None
    pairs = [part.partition(":") for part in rest.split("/")]
    metrics = {name: value for name, _, value in pairs}
    if len(metrics) != len(pairs):
        return None
    if head in {"CVSS:3.0", "CVSS:3.1"}:
        return _score_3(metrics)
    return _score_4(metrics) if head == "CVSS:4.0" else None


def rating_of(score: float) -> Severity:
    """The severity of a score, by the qualitative scale that versions 3 and 4 share."""
    if score >= 9.0:
        return Severity.CRITICAL
    if score >= 7.0:
        return Severity.HIGH
    if score >= 4.0:
        return Severity.MEDIUM
    return Severity.LOW if score > 0 else Severity.INFO


@cache
def _tables() -> Any:
    return json.loads(files("tidegate.dependencies").joinpath("data/cvss.json").read_bytes())


def _score_3(metrics: Mapping[str, str]) -> float | None:
    weights = _tables()["3"]
    changed = metrics.get("S") == "C"
    try:
        attack = [weights[name][metrics[name]] for name in ("AV", "AC", "UI")]
        privileges = weights["PR changed" if changed else "PR"][metrics["PR"]]
        harm = [1 - weights["CIA"][metrics[name]] for name in "CIA"]
        if metrics["S"] not in {"U", "C"}:
            return None
    except KeyError:
        return None
    base = 1 - harm[0] * harm[1] * harm[2]
    impact = 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 if changed else 6.42 * base
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * attack[0] * attack[1] * attack[2] * privileges
    total = impact + exploitability
    return _round_up(min(1.08 * total if changed else total, 10.0))


def _round_up(value: float) -> float:
    """To one decimal, upwards, with the specification's own care for binary fractions."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10


def _score_4(metrics: Mapping[str, str]) -> float | None:
    tables = _tables()["4"]
    levels: Mapping[str, str] = tables["levels"]
    if any(metrics.get(name) not in set(levels[name]) for name in levels):
        return None
    if all(metrics[name] == "N" for name in ("VC", "VI", "VA", "SC", "SI", "SA")):
        return 0.0
    rank = {name: levels[name].index(metrics[name]) for name in levels}
    place = _macro_vector(metrics)
    lookup: Mapping[str, float] = tables["lookup"]
    score = lookup[place]
    shares: list[float] = []
    for group in tables["groups"]:
        lower = _next_lower(place, group["digits"], lookup)
        if lower is None:
            continue
        key = "".join(place[digit] for digit in group["digits"])
        depth = group["depth"][key]
        distance = _distance(rank, group["highest"][key], levels)
        shares.append((score - lower) * distance / depth if depth else 0.0)
    mean = sum(shares) / len(shares) if shares else 0.0
    # The calculator of the specification rounds halves up.
    return min(max(int((score - mean) * 10 + 0.5 + 1e-9) / 10, 0.0), 10.0)


def _macro_vector(m: Mapping[str, str]) -> str:
    """The six digits of the equivalence sets (tables 24 to 29); no threat metric, all demands."""
    easy = [m["AV"] == "N", m["PR"] == "N", m["UI"] == "N"]
    eq1 = 0 if all(easy) else 1 if any(easy) and m["AV"] != "P" else 2
    eq2 = 0 if m["AC"] == "L" and m["AT"] == "N" else 1
    high = [m[name] == "H" for name in ("VC", "VI", "VA")]
    eq3 = 0 if high[0] and high[1] else 1 if any(high) else 2
    eq4 = 1 if "H" in {m["SC"], m["SI"], m["SA"]} else 2
    # Without environmental metrics every demand is high: one high impact is enough.
    eq6 = 0 if any(high) else 1
    return f"{eq1}{eq2}{eq3}{eq4}0{eq6}"


def _next_lower(place: str, digits: list[int], lookup: Mapping[str, float]) -> float | None:
    """The highest score one step below in these sets; None where there is no such step."""
    scores = []
    for digit in digits:
        below = place[:digit] + str(int(place[digit]) + 1) + place[digit + 1 :]
        if below in lookup:
            scores.append(lookup[below])
    return max(scores, default=None)


def _distance(
    rank: Mapping[str, int], highest: list[Mapping[str, str]], levels: Mapping[str, str]
) -> int:
    """Steps from the first of the gravest vectors of the set that is nowhere less grave."""
    for one in highest:
        steps = [rank[name] - levels[name].index(value) for name, value in one.items()]
        if all(step >= 0 for step in steps):
            return sum(steps)
    return 0
