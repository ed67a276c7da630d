"""Whole DAG runs in a real Airflow: what goes on, what stops, and what can't be talked round."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import RunDag

pytestmark = pytest.mark.slow

DAG = Path(__file__).parent / "dags" / "scan_and_deploy.py"
MAPPED_DAG = Path(__file__).parent / "mapped_dags" / "scan_many.py"


class _Touch:
    """Loading it would make an empty file: the trace that a payload ran."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> object:
        return os.system, (f"touch {self._trace}",)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "clean.pkl"
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    return path


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "the-payload-ran"


@pytest.fixture
def hostile(tmp_path: Path, trace: Path) -> Path:
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps(_Touch(trace)))
    return path


@pytest.fixture
def environment(ledger_url: str) -> dict[str, str]:
    return {"TIDEGATE_LEDGER": ledger_url}


def test_a_clean_artifact_goes_all_the_way_and_hands_its_digest_on(
    run_dag: RunDag, clean: Path, ledger_url: str
) -> None:
    connection = json.dumps({"conn_type": "tidegate", "host": ledger_url})
    end = run_dag(
        DAG,
        conf={"path": str(clean)},
        environment={"AIRFLOW_CONN_TIDEGATE_DEFAULT": connection},
    )

    assert end.state == "success", end.log
    result = end.results["scan"]
    assert set(result) == {"digest", "verdict", "outcome", "decision_id", "subject", "path"}
    assert (result["verdict"], result["outcome"]) == ("pass", "allow")
    assert (result["subject"], result["path"]) == ("fraud", str(clean))
    assert end.results["deploy"] == result["digest"] == end.results["same_gate"]["digest"]


def test_a_hostile_artifact_stops_the_run_at_the_first_try_and_is_never_loaded(
    run_dag: RunDag, hostile: Path, trace: Path, environment: dict[str, str]
) -> None:
    end = run_dag(DAG, conf={"path": str(hostile)}, environment=environment)

    assert end.state == "failed"
    assert end.state_of("scan") == "failed"
    assert end.tasks["scan"].tries == 1, "a hold is final, so retries=2 must not count"
    for task in ("between", "gate", "same_gate", "deploy"):
        assert end.state_of(task) == "upstream_failed"
    assert end.results["scan"]["outcome"] == "quarantine", "the result is there for a hold too"
    assert "held for review" in end.log
    assert not trace.exists()


def test_a_file_swapped_after_the_scan_stops_at_both_gates(
    run_dag: RunDag, clean: Path, hostile: Path, trace: Path, environment: dict[str, str]
) -> None:
    end = run_dag(DAG, conf={"path": str(clean), "swap": str(hostile)}, environment=environment)

    assert end.state_of("scan") == "success", end.log
    assert end.state_of("gate") == "failed"
    assert end.state_of("same_gate") == "failed"
    assert end.state_of("deploy") == "upstream_failed"
    assert end.results["gate"]["verdict"] == "unscanned"
    assert not trace.exists()


def test_marking_the_scan_as_successful_opens_no_gate(
    run_dag: RunDag, hostile: Path, environment: dict[str, str]
) -> None:
    end = run_dag(DAG, conf={"path": str(hostile)}, environment=environment, mark_success="scan")

    assert end.state_of("scan") == "success"
    assert end.state_of("gate") == "failed"
    assert end.state_of("same_gate") == "failed"
    assert end.state_of("deploy") == "upstream_failed"


def test_a_ledger_out_of_reach_is_tried_again_and_never_a_pass(
    run_dag: RunDag, clean: Path
) -> None:
    nobody = "postgresql+pg8000://gate:hunter2-secret@127.0.0.1:1/ledger"
    end = run_dag(DAG, conf={"path": str(clean)}, environment={"TIDEGATE_LEDGER": nobody})

    assert end.state_of("scan") == "failed"
    assert end.tasks["scan"].tries == 3, "the first try and retries=2"
    assert end.state_of("deploy") == "upstream_failed"
    assert "hunter2-secret" not in end.log


def test_of_several_artifacts_only_the_hostile_one_is_held(
    run_dag: RunDag, clean: Path, hostile: Path, environment: dict[str, str]
) -> None:
    end = run_dag(MAPPED_DAG, conf={"paths": [str(clean), str(hostile)]}, environment=environment)

    assert end.state_of("scan[0]") == "success", end.log
    assert end.state_of("scan[1]") == "failed"
    assert [end.results[f"scan[{index}]"]["outcome"] for index in (0, 1)] == [
        "allow",
        "quarantine",
    ]
