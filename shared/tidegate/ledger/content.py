"""The index of content: which artifacts hold a file with which bytes.

It joins a single file to the same bytes under another name, and to the folders that they were put
into or taken from (`lineage`). Always holds: its rows follow from the manifests on record and from
nothing else, so no statement covers them; they are written with their manifest, in one
transaction, and an audit computes them again. An empty file is everywhere, and so in no row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from tidegate.artifact.manifest import Manifest
from tidegate.ledger import schema

_SHA256 = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 2000


def content_rows(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """The rows of one manifest, each once."""
    digest = manifest.digest
    alone = int(manifest.kind == "file")
    seen = {file.sha256 for file in manifest.files if file.size > 0}
    for sha256 in sorted(each for each in seen if _SHA256.fullmatch(each)):
        yield {"sha256": sha256, "alone": alone, "digest": digest}


def put_content(connection: Connection, manifest: Manifest) -> None:
    """Write the rows of a manifest that is being put on record in this transaction."""
    rows = content_rows(manifest)
    while page := list(islice(rows, _AT_ONCE)):
        connection.execute(schema.content.insert(), page)


def backfill(connection: Connection) -> None:
    """Write the rows of every manifest that is on record, in a transaction of the caller's."""
    table = schema.artifact
    query = select(table).order_by(table.c.digest).limit(20)
    page = connection.execute(query).all()
    while page:
        for digest, body in page:
            if (manifest := readable(digest, body)) is not None:
                put_content(connection, manifest)
        page = connection.execute(query.where(table.c.digest > page[-1][0])).all()


def readable(digest: object, body: object) -> Manifest | None:
    """The manifest of a row as it stands; None where it is not what the digest says."""
    try:
        manifest = Manifest.from_dict(json.loads(str(body)))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return manifest if manifest.digest == digest else None
