"""Feeds for tests: OSV records in folders and zips."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any


def record(
    identity: str,
    package: str,
    fixed: str | None,
    *,
    modified: str = "2024-05-01T00:00:00Z",
    ecosystem: str = "PyPI",
    score: str | None = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    **more: Any,
) -> dict[str, Any]:
    """A record about everything of a package before a version, critical unless it says else."""
    events = [{"introduced": "0"}] + ([{"fixed": fixed}] if fixed is not None else [])
    severity = [] if score is None else [{"type": "CVSS_V3", "score": score}]
    return {
        "schema_version": "1.6.0",
        "id": identity,
        "modified": modified,
        "summary": f"A fault of {package}.",
        "severity": severity,
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
        **more,
    }


def zipped(path: Path, *records: dict[str, Any]) -> Path:
    """A zip of records, each named by its id."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in records:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    return path
