"""Whether a step's record is signed by somebody who is trusted, and what the demanded chain needs.

Always holds: a step counts as signed only where a statement of the log, by a key that was trusted
at its time, covers the very row that is on record, and the edges that lead to it are those that
the row names. What is believed of a chain is read from such rows, never from edges alone, and not
from what a tracker's run tells of itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from tidegate.artifact.manifest import Manifest
from tidegate.attestation.envelopes import SignatureError, open_envelope
from tidegate.attestation.keys import KeyList
from tidegate.attestation.own_key import trusted_keys
from tidegate.attestation.step import TOLD_BY_RUN, Material, Step
from tidegate.errors import TidegateError
from tidegate.ledger import said, schema
from tidegate.ledger.coverage import read_coverage, row_hash
from tidegate.ledger.records import manifest_from_row, moment
from tidegate.ledger.steps import manifests_of, step_from_row
from tidegate.policy.chain import AROUND, ChainFacts, SourceFact, StepFact

# What MLflow writes beside a model when it logs it. They are scanned like every file.
_WRITTEN_BY_MLFLOW = frozenset(
    {
        "MLmodel",
        "conda.yaml",
        "input_example.json",
        "python_env.yaml",
        "registered_model_meta",
        "requirements.txt",
        "serving_input_example.json",
    }
)


def chain_facts(
    connection: Connection, digest: str, step_ids: Iterable[str], manifest: Manifest | None
) -> ChainFacts:
    """What is on record about how an artifact was made.

    Args:
        connection: to the ledger.
        digest: of the artifact.
        step_ids: the steps among its ancestors.
        manifest: the artifact's, where it is at hand.
    """
    found = _Facts(connection, _keys())
    for step_id in sorted(set(step_ids)):
        found.take(step_id)
    return found.told(digest, manifest)


@dataclass
class _Facts:
    """What is gathered from the steps, one after the other."""

    connection: Connection
    keys: KeyList | str
    steps: list[StepFact] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    """The SHA-256 of files that steps made, alone or in a folder."""
    inputs: dict[str, list[Material]] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)

    def take(self, step_id: str) -> None:
        table = schema.step
        query = select(table).where(table.c.id == step_id)
        row = self.connection.execute(query).mappings().first()
        if row is None:
            # An edge leads to it all the same: nobody knows what it did.
            missing = "it is not on record, though edges lead to it"
            self.steps.append(StepFact(step_id, step_id, "", "unfinished", 0, missing))
            return
        step = step_from_row(row)
        if step.builder.startswith(TOLD_BY_RUN):
            return
        manifests = manifests_of(self.connection, step)
        unsigned = self._unsigned(step, dict(row), manifests)
        self.steps.append(
            StepFact(
                step.id,
                step.name,
                step.started_at.isoformat(),
                step.outcome.value,
                sum(each.role not in AROUND for each in step.inputs),
                unsigned,
            )
        )
        self.manifests |= manifests
        # What went in as well was handed on, and not made.
        given = {each.digest for each in step.inputs}
        had = {sha256 for each in given for sha256 in _contents(manifests.get(each))}
        for each in step.outputs:
            if each.role == "byproduct" or each.digest in given:
                continue
            if _content_of(manifests.get(each.digest)) not in had:
                self.made.add(each.digest)
            self.contents |= _contents(manifests.get(each.digest)) - had
        for each in step.inputs:
            self.inputs.setdefault(each.digest, []).append(each)

    def told(self, digest: str, manifest: Manifest | None) -> ChainFacts:
        if manifest is None:
            manifest = self.manifests.get(digest) or _manifest(self.connection, digest)
        files = () if manifest is None or digest in self.made else manifest.files
        unmade = tuple(
            (file.path, file.sha256)
            for file in files
            if file.sha256 not in self.contents and file.path not in _WRITTEN_BY_MLFLOW
        )
        sources = [
            SourceFact(
                each,
                uses[0].name,
                min((use.role for use in uses), key=_rank),
                _content_of(self.manifests.get(each)),
                tuple(dict.fromkeys(use.uri for use in uses if use.uri is not None)),
                each in self.manifests,
            )
            for each, uses in self.inputs.items()
            if each not in self.made and _content_of(self.manifests.get(each)) not in self.contents
        ]
        return ChainFacts(
            digest=digest,
            content=_content_of(manifest),
            made=digest in self.made or any(file.sha256 in self.contents for file in files),
            unmade=unmade,
            steps=tuple(self.steps),
            sources=tuple(sorted(sources, key=lambda each: (each.role, each.name, each.digest))),
            roles=tuple(sorted({use.role for uses in self.inputs.values() for use in uses})),
        )

    def _unsigned(
        self, step: Step, row: Mapping[str, object], manifests: Mapping[str, Manifest]
    ) -> str | None:
        """Why the step's signature does not count; None where it does."""
        if isinstance(self.keys, str):
            return self.keys
        table = schema.statement
        record = row_hash(schema.step, row)
        query = select(table).where(
            table.c.digest.in_(_subjects(step, record, manifests)),
            table.c.predicate_type == said.SLSA,
        )
        why = "no statement of the log covers its record"
        covered = (schema.step.name, step.id, record)
        for statement in self.connection.execute(query.order_by(table.c.id.desc())).mappings():
            try:
                signed = open_envelope(
                    statement[table.c.envelope].encode(),
                    self.keys,
                    at=moment(statement[table.c.created_at]),
                )
                coverage = read_coverage(signed.statement.predicate)
            except (SignatureError, ValueError, AttributeError):
                why = "no key that is trusted signed its record"
                continue
            rows = {(each.table, each.key, each.sha256) for each in coverage.rows}
            if coverage.at == statement[table.c.created_at] and covered in rows:
                return self._other_edges(step)
        return why

    def _other_edges(self, step: Step) -> str | None:
        edge = schema.edge.c
        drawn = {(each.digest, step.id) for each in step.inputs}
        drawn |= {(step.id, each.digest) for each in step.outputs}
        query = select(edge.source, edge.target).where(
            (edge.source == step.id) | (edge.target == step.id)
        )
        standing = {(source, target) for source, target in self.connection.execute(query)}
        if standing != drawn:
            return "the ledger's edges are not those that its signed record names"
        return None


def _keys() -> KeyList | str:
    """Whose signatures count, or why nobody's does."""
    try:
        return trusted_keys()
    except TidegateError as error:
        return error.message


def _subjects(step: Step, record: str, manifests: Mapping[str, Manifest]) -> list[str]:
    """By what the statement about a step may be found: its first output, or its record."""
    first = next((each.digest for each in step.outputs if each.role != "byproduct"), None)
    if first is None:
        return [f"sha256:{record}"]
    # A manifest that came later would change by what the statement names a file.
    content = _content_of(manifests.get(first))
    return [first] if content is None else [first, f"sha256:{content}"]


def _rank(role: str) -> tuple[int, str]:
    """What was used in several roles is looked at in the one of which most is asked."""
    return (2 if role in AROUND else 1 if role == "data" else 0), role


def _manifest(connection: Connection, digest: str) -> Manifest | None:
    table = schema.artifact
    row = connection.execute(select(table).where(table.c.digest == digest)).mappings().first()
    return None if row is None else manifest_from_row(row)


def _contents(manifest: Manifest | None) -> set[str]:
    """The SHA-256 of every file that is not empty."""
    files = () if manifest is None else manifest.files
    return {file.sha256 for file in files if file.size}


def _content_of(manifest: Manifest | None) -> str | None:
    """The SHA-256 of a single file's bytes; None for a folder, and for what is empty."""
    if manifest is None or manifest.kind != "file" or not manifest.files[0].size:
        return None
    return manifest.files[0].sha256
