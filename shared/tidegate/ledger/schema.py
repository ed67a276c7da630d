"""The ledger's tables, as the newest migration leaves them.

All names start with `tidegate_`, the version table's too, because the tables may stand in MLflow's
own database. Bodies are canonical JSON text, and times UTC in ISO 8601 with six decimals, so
that both read, sort and compare alike on every database. Ids grow and are never given twice: the
order of ids is the order of recording.

`WITHOUT ROWID` is part of being append-only: on SQLite a table with a text key would have a
second, hidden key, through which `INSERT OR REPLACE` could throw out a row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION_TABLE = "tidegate_alembic_version"
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0009")
"""Every migration in order, so that Alembic can stay unloaded; a test holds it to the folder."""
HEAD = REVISIONS[-1]

metadata = MetaData()
# SQLite counts up only in a column that is declared exactly INTEGER.
BIG_ID = BigInteger().with_variant(Integer(), "sqlite")


def _id(table: str) -> tuple[Column[int], CheckConstraint]:
    """A key that counts up. SQLite shows an id not yet given as -1, so none may really be that."""
    return (
        Column("id", BIG_ID, primary_key=True, autoincrement=True),
        CheckConstraint("id > 0", name=f"{table}_id_counts_up"),
    )


def _text(name: str, *args: Any, **options: Any) -> Column[str]:
    return Column(name, Text, *args, nullable=False, **options)


artifact = Table(
    "tidegate_artifact",
    metadata,
    _text("digest", primary_key=True),
    _text("manifest"),
    sqlite_with_rowid=False,
)

evidence = Table(
    "tidegate_evidence",
    metadata,
    _text("id", primary_key=True),
    _text("digest", ForeignKey("tidegate_artifact.digest")),
    _text("ruleset"),
    _text("verdict"),
    _text("body"),
    _text("created_at"),
    Index("tidegate_evidence_by_digest", "digest", "ruleset"),
    sqlite_with_rowid=False,
)

policy = Table(
    "tidegate_policy",
    metadata,
    _text("digest", primary_key=True),
    _text("body"),
    sqlite_with_rowid=False,
)

# Subjects may be long paths, for which a B-tree on PostgreSQL has no room: hence the hash indexes.
# A decision's digest has no foreign key: bytes that nobody could list are decided on as well.
decision = Table(
    "tidegate_decision",
    metadata,
    *_id("tidegate_decision"),
    _text("digest"),
    _text("action"),
    _text("subject"),
    _text("outcome"),
    Column("enforced", Boolean, nullable=False),
    Column("evidence_id", Text, ForeignKey("tidegate_evidence.id")),
    _text("policy_digest", ForeignKey("tidegate_policy.digest")),
    _text("body"),
    Column("actor", Text),
    _text("created_at"),
    Index("tidegate_decision_by_digest", "digest", "id"),
    Index("tidegate_decision_by_subject", "subject", postgresql_using="hash"),
    Index("tidegate_decision_by_evidence", "evidence_id"),
    sqlite_autoincrement=True,
)

review = Table(
    "tidegate_review",
    metadata,
    *_id("tidegate_review"),
    _text("digest"),
    _text("verdict"),
    _text("fingerprints"),
    _text("actor"),
    _text("reason"),
    Column("evidence_id", Text, ForeignKey("tidegate_evidence.id")),
    _text("created_at"),
    Index("tidegate_review_by_digest", "digest", "id"),
    sqlite_autoincrement=True,
)

waiver = Table(
    "tidegate_waiver",
    metadata,
    *_id("tidegate_waiver"),
    _text("digest"),
    _text("rule"),
    _text("fingerprints"),
    _text("actor"),
    _text("reason"),
    _text("created_at"),
    _text("expires_at"),
    Index("tidegate_waiver_by_digest", "digest", "id"),
    sqlite_autoincrement=True,
)

sbom = Table(
    "tidegate_sbom",
    metadata,
    *_id("tidegate_sbom"),
    _text("digest"),
    _text("subject"),
    _text("body"),
    _text("created_at"),
    Index("tidegate_sbom_by_digest", "digest", "id"),
    Index("tidegate_sbom_by_subject", "subject", postgresql_using="hash"),
    sqlite_autoincrement=True,
)

registration = Table(
    "tidegate_registration",
    metadata,
    *_id("tidegate_registration"),
    _text("store"),
    _text("name"),
    _text("version"),
    Column("created_ms", BigInteger, nullable=False),
    _text("source"),
    Column("digest", Text),
    Column("decision_id", BIG_ID, ForeignKey("tidegate_decision.id")),
    UniqueConstraint("store", "name", "version", "created_ms", name="tidegate_registration_once"),
    Index("tidegate_registration_by_digest", "digest"),
    Index("tidegate_registration_by_name", "name", "version"),
    sqlite_autoincrement=True,
)

# A place may be a long path, for which a B-tree on PostgreSQL has no room: its hash is the key.
place = Table(
    "tidegate_place",
    metadata,
    *_id("tidegate_place"),
    _text("digest"),
    _text("location"),
    _text("location_hash"),
    _text("created_at"),
    UniqueConstraint("digest", "location_hash", name="tidegate_place_once"),
    sqlite_autoincrement=True,
)

step = Table(
    "tidegate_step",
    metadata,
    _text("id", primary_key=True),
    _text("name"),
    _text("outcome"),
    _text("body"),
    _text("created_at"),
    Index("tidegate_step_by_name", "name", postgresql_using="hash"),
    sqlite_with_rowid=False,
)

# What went into a step (digest -> step) and what came out of it (step -> digest). `name` is what
# the step called it. No foreign keys: a digest may be of bytes that nobody could list.
edge = Table(
    "tidegate_edge",
    metadata,
    *_id("tidegate_edge"),
    _text("source"),
    _text("target"),
    _text("role"),
    _text("name"),
    # Each holds all that a walk through the graph asks for, so that it never touches the table.
    Index("tidegate_edge_forward", "source", "target", "role"),
    Index("tidegate_edge_backward", "target", "source", "role"),
    Index("tidegate_edge_by_name", "name", postgresql_using="hash"),
    sqlite_autoincrement=True,
)

# Which artifacts hold which content: derived from the manifests, so an audit computes it again.
# `alone` is 1 where the content is the whole artifact, a single file. It stands in the key before
# the digest, so that a file which a million folders hold is no burden to who asks for the few.
content = Table(
    "tidegate_content",
    metadata,
    _text("sha256", primary_key=True),
    Column("alone", Integer, primary_key=True, autoincrement=False),
    _text("digest", primary_key=True),
    Index("tidegate_content_by_digest", "digest", "alone", "sha256"),
    sqlite_with_rowid=False,
)

# A bundle may be of any length; its hash tells it from the others over the same bytes.
signature = Table(
    "tidegate_signature",
    metadata,
    *_id("tidegate_signature"),
    _text("digest"),
    _text("bundle"),
    _text("bundle_hash"),
    _text("actor"),
    _text("created_at"),
    UniqueConstraint("digest", "bundle_hash", name="tidegate_signature_once"),
    sqlite_autoincrement=True,
)

# Of a token's secret only the hash is kept. A token ends by a row of its own, as all records do.
token = Table(
    "tidegate_token",
    metadata,
    *_id("tidegate_token"),
    _text("holder"),
    _text("scopes"),
    _text("secret_hash"),
    _text("actor"),
    _text("created_at"),
    _text("expires_at"),
    sqlite_autoincrement=True,
)

token_revocation = Table(
    "tidegate_token_revocation",
    metadata,
    Column(
        "token_id", BIG_ID, ForeignKey("tidegate_token.id"), primary_key=True, autoincrement=False
    ),
    _text("actor"),
    _text("created_at"),
)

# What was asked for under a key that its sender chose, so that asking again records nothing twice.
request = Table(
    "tidegate_request",
    metadata,
    _text("key", primary_key=True),
    _text("operation"),
    _text("content_hash"),
    _text("records"),
    Column("token_id", BIG_ID, ForeignKey("tidegate_token.id")),
    _text("actor"),
    _text("created_at"),
    sqlite_with_rowid=False,
)

# A few rows, read at every decision. Neither is ever changed: a lift is a row of its own.
recall = Table(
    "tidegate_recall",
    metadata,
    *_id("tidegate_recall"),
    _text("kind"),
    _text("target"),
    _text("name"),
    _text("actor"),
    _text("reason"),
    _text("created_at"),
    sqlite_autoincrement=True,
)

recall_lift = Table(
    "tidegate_recall_lift",
    metadata,
    *_id("tidegate_recall_lift"),
    Column("recall_id", BIG_ID, ForeignKey("tidegate_recall.id"), nullable=False),
    _text("actor"),
    _text("reason"),
    _text("created_at"),
    UniqueConstraint("recall_id", name="tidegate_recall_lift_once"),
    sqlite_autoincrement=True,
)

# Numbered by the writer, from 1 on without a gap: a statement's number is its place in the log.
statement = Table(
    "tidegate_statement",
    metadata,
    Column("id", BIG_ID, primary_key=True, autoincrement=False),
    CheckConstraint("id > 0", name="tidegate_statement_id_counts_up"),
    _text("predicate_type"),
    _text("digest"),
    _text("envelope"),
    _text("leaf_hash"),
    _text("created_at"),
    Index("tidegate_statement_by_digest", "digest", "id"),
)

# The full subtrees above the leaves; those are the statements' own hashes.
log_node = Table(
    "tidegate_log_node",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _text("hash"),
    sqlite_with_rowid=False,
)

RECORDS: tuple[Table, ...] = (
    artifact, evidence, policy, decision, review, waiver, sbom, registration, place, step, edge,
    signature, token, token_revocation, request, recall, recall_lift,
)  # fmt: skip
"""The tables whose rows statements cover. All others follow from what these hold."""

KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    artifact.name: (("digest",),),
    evidence.name: (("id",),),
    policy.name: (("digest",),),
    decision.name: (("id",),),
    review.name: (("id",),),
    waiver.name: (("id",),),
    sbom.name: (("id",),),
    registration.name: (("id",), ("store", "name", "version", "created_ms")),
    place.name: (("id",), ("digest", "location_hash")),
    step.name: (("id",),),
    edge.name: (("id",),),
    recall.name: (("id",),),
    recall_lift.name: (("id",), ("recall_id",)),
    content.name: (("sha256", "alone", "digest"),),
    signature.name: (("id",), ("digest", "bundle_hash")),
    token.name: (("id",),),
    token_revocation.name: (("token_id",),),
    request.name: (("key",),),
    statement.name: (("id",),),
    log_node.name: (("level", "number"),),
}
"""Every table with every key by which a row could be replaced."""
