"""The cluster policy: nothing is registered or deployed in a DAG but behind a gate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOTS = [
    str(Path(__file__).resolve().parents[2] / each) for each in ("shared", "airflow_provider")
]


def _dag(rule: str = "all_success", *, gated: bool = True, between: str | None = None) -> Any:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, BaseOperator

    from tidegate_airflow import DeployGateOperator

    class DeployModelOperator(BaseOperator):
        pass

    with DAG("d") as dag:
        gate = DeployGateOperator(task_id="gate", path="/m", subject="s", expected_digest="any")
        deploy = DeployModelOperator(task_id="deploy", trigger_rule=rule)
        if between is not None:
            gate >> EmptyOperator(task_id="between", trigger_rule=between) >> deploy
        elif gated:
            gate >> deploy
    return dag


def _ungated(dag: Any) -> list[str]:
    from tidegate_airflow.policy import ungated

    return ungated(dag)


def test_a_deployment_behind_a_gate_is_let_in() -> None:
    assert _ungated(_dag()) == []
    assert _ungated(_dag(between="all_success")) == []


def test_a_deployment_with_no_gate_is_told_the_fix() -> None:
    (problem,) = _ungated(_dag(gated=False))

    assert "'deploy'" in problem
    assert "gate >> deploy" in problem


@pytest.mark.parametrize(
    "rule",
    ["all_done", "none_failed", "none_failed_min_one_success", "one_success", "always", "one_done"],
)
def test_a_rule_that_lets_a_failed_or_skipped_gate_pass_is_refused(rule: str) -> None:
    (own,) = _ungated(_dag(rule))
    (on_the_way,) = _ungated(_dag(between=rule))

    assert "of: deploy" in own
    assert "of: between" in on_the_way


def test_a_subclass_of_the_gate_that_checks_nothing_is_no_gate() -> None:
    from airflow.sdk import DAG, BaseOperator

    from tidegate_airflow import DeployGateOperator

    class Harmless(DeployGateOperator):
        def execute(self, context: Any) -> Any:
            return None

    class UploadModelOperator(BaseOperator):
        pass

    with DAG("d") as dag:
        gate = Harmless(task_id="gate", path="/m", subject="s", expected_digest="any")
        gate >> UploadModelOperator(task_id="upload")

    assert len(_ungated(dag)) == 1


def test_a_function_that_registers_is_known_by_its_source_mapped_or_not() -> None:
    from airflow.sdk import DAG, task

    with DAG("d") as dag:

        @task
        def register(uri: str) -> None:
            import mlflow

            mlflow.register_model(uri, "fraud")

        @task
        def log(uri: str) -> None:
            import mlflow

            mlflow.sklearn.log_model(uri, registered_model_name="fraud")

        @task
        def only_log(uri: str) -> None:
            import mlflow

            mlflow.sklearn.log_model(uri, registered_model_name=None)

        register("a")
        register.override(task_id="mapped").expand(uri=["a", "b"])
        log("a")
        only_log("a")

    told = _ungated(dag)

    assert len(told) == 3
    assert not any("'only_log'" in each for each in told)


@pytest.mark.parametrize(
    ("mode", "refused"), [("off", False), ("warn", False), ("refuse", True), ("refsue", True)]
)
def test_only_the_setting_refuses_and_a_misspelt_one_refuses_all(
    mode: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.exceptions import AirflowClusterPolicyViolation

    from tidegate_airflow.policy import dag_policy

    monkeypatch.setenv("AIRFLOW__TIDEGATE__COMPULSORY", mode)

    if not refused:
        dag_policy(_dag(gated=False))
        return
    with pytest.raises(AirflowClusterPolicyViolation):
        dag_policy(_dag(gated=False))


def test_loading_it_imports_neither_the_sdk_nor_a_scanner() -> None:
    code = (
        "import sys, airflow.policies; before = set(sys.modules); import tidegate_airflow.policy\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(_ROOTS)},
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )

    loaded = done.stdout
    assert "tidegate_airflow.policy" in loaded
    assert not any(each in loaded for each in ("airflow.sdk", "tidegate.scanners", "mlflow"))
