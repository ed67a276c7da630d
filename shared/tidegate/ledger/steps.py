"""Steps as rows: the step itself, the edges that it draws, and the manifests of its materials.

Always holds: a step is written once, under an id that nobody gives twice; the same one again is
no new record, another one under the same id is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from tidegate.artifact.manifest import Manifest
from tidegate.attestation.step import Step
from tidegate.errors import OperatorError, UsageError
from tidegate.ledger import records, schema, writes
from tidegate.ledger.records import canonical
from tidegate.ledger.said import Written


def put_step(connection: Connection, step: Step) -> Written:
    """Write a step with its edges and manifests; the rows that are new, none if it is on record.

    Raises:
        UsageError: another step has its id.
    """
    table = schema.step
    row = {
        "id": step.id,
        "name": step.name,
        "outcome": step.outcome.value,
        "body": canonical(step.to_dict()),
        "created_at": records.stored_time(step.finished_at or step.started_at, "time of the step"),
    }
    standing = connection.execute(select(table).where(table.c.id == step.id)).mappings().first()
    if standing is not None:
        if standing[table.c.body] != row["body"]:
            raise UsageError(
                f"another step is on record as {step.id}", remedy="give each run an id of its own"
            )
        return []
    written: Written = []
    for material in (*step.inputs, *step.outputs):
        if material.manifest is not None:
            writes.put_artifact(connection, material.manifest, written)
    writes.put_once(connection, table, row, step_from_row, written)
    for edge in _edges(step):
        number = writes.insert_numbered(connection, schema.edge, edge)
        written.append((schema.edge, {"id": number, **edge}))
    return written


def _edges(step: Step) -> Iterator[dict[str, Any]]:
    drawn = [(each.digest, step.id, each.role, each.name) for each in step.inputs]
    drawn += [(step.id, each.digest, each.role, each.name) for each in step.outputs]
    for edge in dict.fromkeys(drawn):
        yield dict(zip(("source", "target", "role", "name"), edge, strict=True))


def manifests_of(connection: Connection, step: Step) -> dict[str, Manifest]:
    """The manifests of a step's materials that are on record, by digest."""
    table = schema.artifact
    wanted = sorted({each.digest for each in (*step.inputs, *step.outputs)})
    found = {}
    for at in range(0, len(wanted), 500):
        query = select(table).where(table.c.digest.in_(wanted[at : at + 500]))
        for row in connection.execute(query).mappings():
            found[row[table.c.digest]] = records.manifest_from_row(row)
    return found


def step_from_row(row: RowMapping) -> Step:
    """The step, whose body must say the same as the row's columns; manifests are not in it."""
    columns = schema.step.c
    with records.unaltered(f"step {row[columns.id]}"):
        step = Step.from_dict(json.loads(row[columns.body]))
        told = (step.id, step.name, step.outcome.value)
        if told != (row[columns.id], row[columns.name], row[columns.outcome]):
            raise ValueError("the step's columns say other than its body")
    return step


def step_of(connection: Connection, step_id: str) -> Step | None:
    """The step of an id, with the manifests of what was read; None where it is not on record."""
    table = schema.step
    row = connection.execute(select(table).where(table.c.id == step_id)).mappings().first()
    if row is None:
        return None
    step = step_from_row(row)
    with records.unaltered(f"step {step_id}"):
        manifests = manifests_of(connection, step)
        data = json.loads(row[table.c.body])
        missing = [
            each["digest"]
            for each in (*data["inputs"], *data["outputs"])
            if each["read"] and each["digest"] not in manifests
        ]
        if missing:
            raise OperatorError(
                f"the ledger's record was altered: the manifest of {missing[0]} is gone",
                remedy="run `tidegate ledger verify`, and restore the database from a backup",
            )
        return Step.from_dict(data, manifests)
