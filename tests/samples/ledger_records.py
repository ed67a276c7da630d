"""Values to record in a ledger, and what other processes of a test do to one."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy
from samples.model_signers import curve_key, signing_key

from tidegate.artifact.manifest import FileEntry, Manifest
from tidegate.attestation.signatures import SigningIdentity, sign_model
from tidegate.attestation.step import Step, StepOutcome, material
from tidegate.ledger import Ledger
from tidegate.policy import Action, Decision, Policy, Review, Waiver, decide, profile
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.interface import Finding, Severity, Unread

NOW = datetime(2026, 3, 1, 12, 30, 0, 125, tzinfo=UTC)
RULE = "PICKLE-TRAILING"
POLICY = profile("standard")
_SIGNER = SigningIdentity(signing_key(curve_key()))


def a_manifest(name: str = "model.pkl") -> Manifest:
    """A folder of one file, whose content follows from its name."""
    content = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return Manifest("folder", (FileEntry(name, len(name), content),))


def a_file(name: str, content: str | None = None) -> Manifest:
    """A single file, whose content follows from its name, or is named."""
    content = name if content is None else content
    sha256 = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    return Manifest("file", (FileEntry(name, len(content), sha256),))


def a_step(number: int = 1, **changes: Any) -> Step:
    """A step that trained from a single file and wrote a folder."""
    values: dict[str, Any] = {
        "id": f"step:{number:032x}",
        "name": f"train-{number}",
        "builder": "https://ci.example.com/runner",
        "started_at": NOW,
        "finished_at": NOW + timedelta(minutes=number),
        "outcome": StepOutcome.SUCCEEDED,
        "exit_code": 0,
        "inputs": (material("train.csv", "data", a_file(f"train-{number}.csv")),),
        "outputs": (material("model", "output", a_manifest(f"trained-{number}.skops")),),
        "parameters": {"epochs": 3, "rate": 0.1},
        "code": {"uri": "git+https://git.example.com/fraud", "commit": "c" * 40},
        "environment": {"python": "3.11.9"},
        "host": {"machine": "x86_64"},
        "actor": "ada",
        "claims": ("host",),
        "metrics": {"accuracy": 0.93},
        "parent": f"step:{'f' * 32}",
        "notes": ("the input train.csv changed while the step ran",),
    }
    return Step(**{**values, **changes})


def a_signature(manifest: Manifest) -> str:
    """A signature over it by somebody, another one each time."""
    return sign_model(manifest, _SIGNER, model_name="model")


def an_evidence(
    manifest: Manifest,
    *,
    severity: Severity | None = Severity.HIGH,
    ruleset: str = "rules-1",
    unread: str | None = None,
) -> Evidence:
    """Evidence with one finding (none where `severity` is None) and perhaps an unread part."""
    path = manifest.files[0].path
    findings = () if severity is None else (Finding(RULE, severity, path, "bytes after the end"),)
    parts = () if unread is None else (Unread(path, unread),)
    return Evidence(manifest.digest, ruleset, findings, parts, ((path, "pickle"),))


def a_decision(
    manifest: Manifest,
    evidence: Evidence | None,
    *,
    subject: str = "fraud/3",
    action: Action = Action.REGISTER,
    policy: Policy = POLICY,
    now: datetime = NOW,
    waivers: tuple[Waiver, ...] = (),
    reviews: tuple[Review, ...] = (),
) -> Decision:
    """What the policy comes to about that evidence."""
    return decide(
        policy,
        action,
        evidence,
        digest=manifest.digest,
        subject=subject,
        now=now,
        waivers=waivers,
        reviews=reviews,
        actor="ada",
    )


def record(
    ledger: Ledger,
    name: str = "model.pkl",
    *,
    severity: Severity | None = Severity.HIGH,
    ruleset: str = "rules-1",
    unread: str | None = None,
    subject: str = "fraud/3",
    action: Action = Action.REGISTER,
    now: datetime = NOW,
    place: str | None = None,
    connection: sqlalchemy.Connection | None = None,
) -> Decision:
    """Record a decision about `a_manifest(name)` with all that it stands on."""
    manifest = a_manifest(name)
    evidence = an_evidence(manifest, severity=severity, ruleset=ruleset, unread=unread)
    return ledger.record(
        a_decision(manifest, evidence, subject=subject, action=action, now=now),
        policy=POLICY,
        manifest=manifest,
        evidence=evidence,
        place=place,
        connection=connection,
    )


def count(url: str, table: str) -> int:
    """How many rows a table has, asked past the ledger."""
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())
    finally:
        engine.dispose()


def execute(url: str, *statements: str) -> None:
    """Run statements past the ledger, in one transaction."""
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


def record_in_turn(url: str, worker: int, rounds: int) -> list[int]:
    """In a process of its own: record shared and own artifacts; the decisions' ids."""
    ids: list[int] = []
    with Ledger.open(url) as ledger:
        for turn in range(rounds):
            for name in (f"shared-{turn}", f"own-{worker}-{turn}"):
                number = record(ledger, name, subject=f"worker-{worker}/{turn}").id
                assert number is not None
                ids.append(number)
    return ids


def open_and_tell(url: str) -> str | None:
    """In a process of its own: open a ledger, making its schema if it is first."""
    with Ledger.open(url) as ledger:
        return ledger.schema_revision()
