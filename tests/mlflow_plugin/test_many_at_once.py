"""Two server processes and many clients at once: no decision is lost, none is made twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient
from samples.databases import postgresql_database, why_no_postgresql
from samples.servers import Server, mlflow_server

from tidegate.ledger import Ledger

CLIENTS, EACH = 4, 3


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def two_workers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param == "sqlite":
        with mlflow_server(tmp_path, f"sqlite:///{tmp_path}/mlflow.db", workers=2) as server:
            yield server
        return
    if reason := why_no_postgresql():
        pytest.skip(reason)
    with postgresql_database("psycopg") as url, mlflow_server(tmp_path, url, workers=2) as server:
        yield server


@pytest.mark.slow
def test_clients_that_register_at_once_each_get_their_own_decision(
    two_workers: Server, models: dict[str, Path]
) -> None:
    admin = MlflowClient(two_workers.address, two_workers.address)
    for name in ("shared-a", "shared-b"):
        admin.create_registered_model(name)
    sources = {}
    for kind in ("clean", "hostile"):
        run = admin.create_run("0")
        admin.log_artifacts(run.info.run_id, str(models[kind]), "model")
        sources[kind] = (f"{run.info.artifact_uri}/model", run.info.run_id)

    def register(client_number: int) -> list[tuple[str, str, str, str]]:
        client = MlflowClient(two_workers.address, two_workers.address)
        made = []
        for turn in range(EACH):
            kind = "clean" if (client_number + turn) % 2 else "hostile"
            source, run_id = sources[kind]
            version = client.create_model_version(
                f"shared-{'ab'[turn % 2]}", source, run_id, await_creation_for=0
            )
            made.append((kind, version.name, version.version, version.status))
        return made

    with ThreadPoolExecutor(CLIENTS) as pool:
        made = [row for rows in pool.map(register, range(CLIENTS)) for row in rows]

    assert len({(name, number) for _, name, number, _ in made}) == CLIENTS * EACH
    assert {(kind, status) for kind, _, _, status in made} == {
        ("clean", "READY"),
        ("hostile", "FAILED_REGISTRATION"),
    }
    with Ledger.open(two_workers.database) as ledger:
        digests = {ledger.resolve(f"{name}/{number}") for _, name, number, _ in made}
        assert len(digests) == 2
        registered = [row for digest in digests for row in ledger.registrations_of(digest)]
        assert sorted((row.name, row.version) for row in registered) == sorted(
            (name, number) for _, name, number, _ in made
        )
        assert len({row.decision_id for row in registered}) == CLIENTS * EACH
        for row in registered:
            decision = ledger.decision(row.decision_id)
            assert decision.subject == f"{row.name}/{row.version}"
