"""The operators by themselves: how a task ends for every way in which a decision can go."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tidegate.artifact import read_manifest
from tidegate.errors import LedgerUnavailableError
from tidegate.gate import Gate
from tidegate.recall import lift, recall

pytestmark = pytest.mark.usefixtures("ledger_url")

FIELDS = {"digest", "verdict", "outcome", "decision_id", "subject", "path"}


class _Echo:
    def __reduce__(self) -> object:
        return os.system, ("echo a payload ran",)


class TaskInstance:
    """What the operators ask of Airflow's own: names, and a place to push to."""

    dag_id, run_id, task_id, map_index = "train", "manual__1", "scan", -1

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.fixture
def ti() -> TaskInstance:
    return TaskInstance()


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "clean.pkl"
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    return path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps(_Echo()))
    return path


def _scan(path: object, ti: TaskInstance, **kwargs: Any) -> Mapping[str, Any]:
    from tidegate_airflow import ScanArtifactOperator

    given = {"subject": "fraud", **kwargs}
    return ScanArtifactOperator(task_id="scan", path=path, **given).execute({"ti": ti})


def _gate(path: object, ti: TaskInstance, **kwargs: Any) -> Mapping[str, Any]:
    from tidegate_airflow import DeployGateOperator

    given = {"subject": "fraud", **kwargs}
    return DeployGateOperator(task_id="gate", path=path, **given).execute({"ti": ti})


@pytest.fixture
def final() -> type[Exception]:
    """The error after which Airflow does not try again."""
    from tidegate_airflow.compat import AirflowFailException

    return AirflowFailException


@pytest.fixture
def passing() -> type[Exception]:
    """The error after which it does; the final one is a kind of it."""
    from tidegate_airflow.compat import AirflowException

    return AirflowException


class TestScan:
    def test_a_clean_artifact_passes_and_the_result_says_so(
        self, clean: Path, ti: TaskInstance
    ) -> None:
        result = _scan(clean, ti)

        assert set(result) == FIELDS
        assert result["digest"] == read_manifest(clean).digest
        assert (result["verdict"], result["outcome"]) == ("pass", "allow")
        assert ti.pushed == {**result, "return_value": result}
        with Gate.open() as gate:
            decision = gate.ledger.decision(result["decision_id"])
        assert decision.digest == result["digest"]
        assert (decision.subject, decision.actor) == ("fraud", "airflow:train/manual__1/scan")
        assert decision.action.value == "register"

    def test_a_hold_is_final_explains_itself_and_is_pushed_first(
        self, hostile: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        with pytest.raises(final) as caught:
            _scan(hostile, ti)

        message = str(caught.value)
        assert "fraud is held for review" in message
        assert "system" in message
        assert read_manifest(hostile).digest in message
        assert ti.pushed["return_value"]["outcome"] == "quarantine"
        assert ti.pushed["digest"] == read_manifest(hostile).digest

    def test_a_hold_stays_a_hold_where_the_result_can_not_be_pushed(
        self, hostile: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        def broken(key: str, value: Any) -> None:
            raise ConnectionError("the XCom backend is away")

        ti.xcom_push = broken
        with pytest.raises(final, match="held for review"):
            _scan(hostile, ti)

    def test_nothing_is_pushed_where_the_task_wants_no_xcom(
        self, clean: Path, ti: TaskInstance
    ) -> None:
        _scan(clean, ti, do_xcom_push=False)
        assert ti.pushed == {}

    def test_audit_mode_lets_go_on_and_says_so(
        self, hostile: Path, ti: TaskInstance, capsys: pytest.CaptureFixture[str]
    ) -> None:
        result = _scan(hostile, ti, policy="audit")

        assert (result["verdict"], result["outcome"]) == ("fail", "quarantine")
        assert re.search(r"warning\W+Tidegate: fraud is held", log := capsys.readouterr().out), log
        assert "audit mode" in log

    def test_the_action_is_the_one_that_was_asked_for(self, clean: Path, ti: TaskInstance) -> None:
        result = _scan(clean, ti, action="load")
        with Gate.open() as gate:
            assert gate.ledger.decision(result["decision_id"]).action.value == "load"

    def test_a_misspelt_action_shows_when_the_dag_is_read(self) -> None:
        with pytest.raises(ValueError, match="registr"):
            _scan("model", TaskInstance(), action="registr")

    @pytest.mark.parametrize("kind", ["missing", "empty", "link"])
    def test_what_can_not_be_read_as_it_is_fails_for_good(
        self, kind: str, clean: Path, ti: TaskInstance, final: type[Exception], tmp_path: Path
    ) -> None:
        path = tmp_path / kind
        if kind == "empty":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(clean)
        with pytest.raises(final):
            _scan(path, ti)
        assert ti.pushed == {}

    @pytest.mark.parametrize("path", ["", "  ", None, {"path": "/model"}])
    def test_a_path_that_came_out_as_none_is_not_the_workers_own_folder(
        self,
        path: object,
        ti: TaskInstance,
        final: type[Exception],
        clean: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(clean.parent)
        with pytest.raises(final, match="path came out as"):
            _scan(path, ti)

    @pytest.mark.parametrize("path", ["s3://bucket/model", "file:/model", "models:/fraud/1"])
    def test_a_url_is_not_taken_for_a_file_name(
        self, path: str, ti: TaskInstance, final: type[Exception]
    ) -> None:
        with pytest.raises(final, match="only files on a local or mounted disk"):
            _scan(path, ti)

    @pytest.mark.parametrize("subject", ["", None, 7])
    def test_a_subject_is_needed(
        self, subject: object, clean: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        with pytest.raises(final, match="subject"):
            _scan(clean, ti, subject=subject)

    def test_a_policy_that_can_not_be_read_fails_for_good(
        self, clean: Path, ti: TaskInstance, final: type[Exception], tmp_path: Path
    ) -> None:
        policy = tmp_path / "policy.yaml"
        policy.write_text("schema: 1\nhold_att: low\n")
        with pytest.raises(final, match="hold_att"):
            _scan(clean, ti, policy=str(policy))

    def test_a_ledger_out_of_reach_is_worth_another_try_and_no_pass(
        self,
        clean: Path,
        ti: TaskInstance,
        final: type[Exception],
        passing: type[Exception],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("TIDEGATE_LEDGER", "postgresql+pg8000://127.0.0.1:1/ledger")
        with pytest.raises(passing) as caught:
            _scan(clean, ti)
        assert not isinstance(caught.value, final)
        assert ti.pushed == {}

    def test_a_ledger_that_goes_away_during_the_scan_is_no_pass_either(
        self,
        clean: Path,
        ti: TaskInstance,
        final: type[Exception],
        passing: type[Exception],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def gone(self: Gate, *args: object, **kwargs: object) -> None:
            raise LedgerUnavailableError("the ledger went away")

        monkeypatch.setattr(Gate, "settle", gone)
        with pytest.raises(passing, match="went away") as caught:
            _scan(clean, ti)
        assert not isinstance(caught.value, final)
        assert ti.pushed == {}

    def test_any_other_error_is_let_through_as_it_is(
        self, clean: Path, ti: TaskInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def bug(self: Gate, *args: object, **kwargs: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(Gate, "check", bug)
        with pytest.raises(ZeroDivisionError):
            _scan(clean, ti)
        assert ti.pushed == {}

    def test_killing_the_task_unwinds_the_scan(
        self,
        clean: Path,
        ti: TaskInstance,
        passing: type[Exception],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from tidegate_airflow import ScanArtifactOperator

        operator = ScanArtifactOperator(task_id="scan", path=clean, subject="fraud")
        closed: list[bool] = []
        close = Gate.close

        def killed(self: Gate, *args: object, **kwargs: object) -> None:
            operator.on_kill()
            pytest.fail("the scan went on")

        def noted(self: Gate) -> None:
            closed.append(True)
            close(self)

        monkeypatch.setattr(Gate, "check", killed)
        monkeypatch.setattr(Gate, "close", noted)
        with pytest.raises(passing, match="ended from outside"):
            operator.execute({"ti": ti})
        assert closed == [True]
        operator.on_kill()  # with nothing under way, there is nothing to leave


class TestDeployGate:
    def test_what_nobody_scanned_is_held(
        self, clean: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        with pytest.raises(final):
            _gate(clean, ti)
        assert ti.pushed["return_value"]["verdict"] == "unscanned"

    def test_what_was_scanned_and_passed_goes_through(self, clean: Path, ti: TaskInstance) -> None:
        scanned = _scan(clean, ti)
        result = _gate(clean, ti, expected_digest=scanned["digest"])

        assert set(result) == FIELDS
        assert (result["digest"], result["outcome"]) == (scanned["digest"], "allow")
        with Gate.open() as gate:
            decision = gate.ledger.decision(result["decision_id"])
        assert (decision.action.value, decision.subject) == ("deploy", "fraud")
        assert decision.actor == "airflow:train/manual__1/scan"

    def test_what_was_held_stays_held(
        self, hostile: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        with pytest.raises(final):
            _scan(hostile, ti)
        with pytest.raises(final, match="held for review"):
            _gate(hostile, ti)

    def test_a_reviewers_approval_counts_though_the_scan_task_failed(
        self, hostile: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        with pytest.raises(final):
            _scan(hostile, ti)
        with Gate.open() as gate:
            gate.approve(ti.pushed["digest"], actor="ada", reason="a test of ours")
        assert _gate(hostile, ti)["outcome"] == "allow"

    def test_a_rejection_after_the_scan_counts_though_it_had_passed(
        self, clean: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        scanned = _scan(clean, ti)
        with Gate.open() as gate:
            gate.reject(scanned["digest"], actor="ada", reason="trained on recalled data")
        with pytest.raises(final, match="recalled data"):
            _gate(clean, ti)

    def test_a_recall_after_the_scan_holds_the_deployment_until_it_is_lifted(
        self, clean: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        _scan(clean, ti)
        with Gate.open() as gate:
            recall(gate, str(clean), actor="ada", reason="its data set was poisoned")
        with pytest.raises(final, match="RECALLED"):
            _gate(clean, ti)
        with pytest.raises(final, match="data set was poisoned"):
            _scan(clean, ti)
        with Gate.open() as gate:
            lift(gate, 1, actor="ada", reason="it was another one")
        assert _gate(clean, ti)["outcome"] == "allow"

    def test_other_bytes_are_stopped_even_if_they_pass_by_themselves(
        self, clean: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        expected = _scan(clean, ti)["digest"]
        clean.write_bytes(pickle.dumps({"weights": [9]}))
        other = _scan(clean, ti)["digest"]

        with pytest.raises(final, match=expected):
            _gate(clean, ti, expected_digest=expected)
        assert (ti.pushed["digest"], ti.pushed["outcome"]) == (other, "deny")
        with Gate.open() as gate:
            assert gate.ledger.decision(ti.pushed["decision_id"]).outcome.value == "deny"

    def test_a_template_that_renders_to_any_does_not_switch_the_check_off(
        self, clean: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        from tidegate_airflow import DeployGateOperator

        gate = DeployGateOperator(
            task_id="gate",
            path=str(clean),
            subject="digits",
            expected_digest="{{ dag_run.conf['digest'] }}",
        )
        gate.expected_digest = "any"  # as Airflow's rendering leaves it
        with pytest.raises(final, match="expected_digest came out as 'any'"):
            gate.execute({"ti": ti})

    @pytest.mark.parametrize("digest", [None, "", "None", "sha256:", "ANY", 7, "md5:" + "0" * 64])
    def test_an_expected_digest_that_came_out_as_nothing_is_refused(
        self, digest: object, clean: Path, ti: TaskInstance, final: type[Exception]
    ) -> None:
        _scan(clean, ti)
        with pytest.raises(final, match="which is no digest"):
            _gate(clean, ti, expected_digest=digest)

    def test_a_ledger_out_of_reach_is_no_pass(
        self,
        clean: Path,
        ti: TaskInstance,
        final: type[Exception],
        passing: type[Exception],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        _scan(clean, ti)
        monkeypatch.setenv("TIDEGATE_LEDGER", "postgresql+pg8000://127.0.0.1:1/ledger")
        with pytest.raises(passing) as caught:
            _gate(clean, ti)
        assert not isinstance(caught.value, final)


def test_what_a_run_may_change_is_what_is_checked_and_not_how_strictly() -> None:
    from tidegate_airflow import DeployGateOperator, ScanArtifactOperator

    assert set(ScanArtifactOperator.template_fields) == {"path", "subject"}
    assert set(DeployGateOperator.template_fields) == {"path", "subject", "expected_digest"}


def test_a_hold_can_not_be_told_to_do_less_than_fail() -> None:
    with pytest.raises(ValueError, match="on_block"):
        _scan("model", TaskInstance(), on_block="warn")


def test_a_mapped_task_instance_is_told_apart_in_the_record(clean: Path, ti: TaskInstance) -> None:
    ti.map_index = 3
    with Gate.open() as gate:
        decision = gate.ledger.decision(_scan(clean, ti)["decision_id"])
    assert decision.actor == "airflow:train/manual__1/scan[3]"
