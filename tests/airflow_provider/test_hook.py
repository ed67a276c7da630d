"""From a connection to a Gate: nothing made up, nothing weakened, nothing told that is secret."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tidegate.errors import LedgerUnavailableError, OperatorError, PolicyError, UsageError

SECRET = "hunter2-and-more"


def _connect(
    patch: pytest.MonkeyPatch, conn_id: str = "tidegate_default", **fields: object
) -> None:
    patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "tidegate", **fields}))


def _hook(*args: object, **kwargs: object):
    from tidegate_airflow.hook import TidegateHook

    return TidegateHook(*args, **kwargs)


def test_without_a_connection_the_environment_says_where_the_ledger_is(ledger_url: str) -> None:
    with _hook().get_conn() as gate:
        assert gate.ledger.url == ledger_url
        assert gate.policy.profile == "standard"


def test_without_a_connection_the_environments_policy_holds(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_POLICY", "strict")
    with _hook().get_conn() as gate:
        assert gate.policy.profile == "strict"


def test_with_neither_there_is_no_gate_rather_than_a_private_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailableError) as caught:
        _hook().get_conn()

    assert "tidegate_default" in caught.value.explain()
    assert "TIDEGATE_LEDGER" in caught.value.explain()
    assert not (tmp_path / "user-data").exists()


def test_a_connection_that_names_no_ledger_is_no_reason_for_a_private_one_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _connect(monkeypatch, extra={"policy": "strict"})
    with pytest.raises(LedgerUnavailableError, match="names no ledger"):
        _hook().get_conn()


def test_a_connection_may_set_the_policy_and_leave_the_ledger_to_the_environment(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, extra={"policy": "strict"})
    with _hook().get_conn() as gate:
        assert (gate.ledger.url, gate.policy.profile) == (ledger_url, "strict")


def test_a_connection_that_is_asked_for_by_name_has_no_stand_in(ledger_url: str) -> None:
    from tidegate_airflow.compat import AirflowNotFoundException

    with pytest.raises(AirflowNotFoundException):
        _hook("tidegate_production").get_conn()


def test_the_connections_ledger_outweighs_the_environments(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    _connect(monkeypatch, host=other)
    with _hook().get_conn() as gate:
        assert gate.ledger.url == other


def test_user_and_password_fields_go_into_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    _connect(
        monkeypatch,
        host="postgresql+pg8000://db.example.com:5433/ledger",
        login="gate",
        password=f"{SECRET}@/:",
    )
    assert _hook().settings().ledger == (
        f"postgresql+pg8000://gate:{SECRET}%40%2F%3A@db.example.com:5433/ledger"
    )


@pytest.mark.parametrize(
    ("uri", "ledger"),
    [
        (
            "tidegate://postgresql+pg8000://gate:pw@db.example.com:5433/ledger",
            "postgresql+pg8000://gate:pw@db.example.com:5433/ledger",
        ),
        (
            "tidegate://sqlite%3A%2F%2F%2F%2Fvar%2FTidegate%2Fledger.db",
            "sqlite:////var/Tidegate/ledger.db",
        ),
    ],
)
def test_a_connection_written_as_a_uri_is_read_the_same(
    uri: str, ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TIDEGATE_DEFAULT", uri)
    assert _hook().settings().ledger == ledger


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///ledger.db"])
def test_a_ledger_that_each_task_would_have_to_itself_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, host=url)
    with pytest.raises(UsageError, match="absolute path"):
        _hook().get_conn()


def test_a_uri_that_airflow_itself_reads_wrongly_is_refused_with_the_right_form(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a URL without a host in it, Airflow drops the beginning."""
    monkeypatch.setenv("AIRFLOW_CONN_TIDEGATE_DEFAULT", "tidegate://sqlite:////var/ledger.db")
    with pytest.raises(UsageError, match="no ledger URL") as caught:
        _hook().get_conn()
    assert "sqlite:////var/tidegate.db" in caught.value.explain()


def test_the_task_may_choose_a_policy_where_the_connection_sets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, host=f"sqlite:///{tmp_path / 'ledger.db'}", extra={"policy": ""})
    with _hook(policy="strict").get_conn() as gate:
        assert gate.policy.profile == "strict"


def test_the_task_can_not_loosen_the_connections_policy(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, extra={"policy": "strict"})
    with pytest.raises(UsageError, match=r"'audit'.*sets 'strict'"):
        _hook(policy="audit").get_conn()


@pytest.mark.parametrize(
    "extra",
    [
        '{"polcy": "strict"}',
        '{"policy": ["strict"]}',
        '["policy"]',
        "policy=strict",
    ],
)
def test_an_extra_that_is_not_understood_is_refused(
    extra: str, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, extra=extra)
    with pytest.raises(UsageError, match=r"tidegate_default.*extra"):
        _hook().get_conn()


def test_a_policy_that_is_not_there_is_an_error(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, extra={"policy": "/nowhere/policy.yaml"})
    with pytest.raises(PolicyError):
        _hook().get_conn()


@pytest.mark.parametrize(
    "fields",
    [
        {"host": f"gate:{SECRET}@db.example.com"},
        {"login": "gate", "password": SECRET},
        {"host": f"nosuchdatabase://gate:{SECRET}@127.0.0.1:1/ledger"},
        {"host": f"postgresql+pg8000://gate:{SECRET}@127.0.0.1:1/ledger"},
        {"host": "postgresql+pg8000://127.0.0.1:1/ledger", "login": "gate", "password": SECRET},
    ],
)
def test_a_password_is_in_no_message_whatever_is_wrong(
    fields: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _connect(monkeypatch, **fields)
    hook = _hook()
    with caplog.at_level(logging.DEBUG):
        is_good, message = hook.test_connection()
        with pytest.raises((UsageError, OperatorError)) as caught:
            hook.get_conn()

    assert not is_good
    told = [message, str(caught.value), caught.value.explain(), repr(caught.value), caplog.text]
    assert SECRET not in "\n".join(told)


def test_a_password_where_nobody_hides_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _connect(monkeypatch, host=f"postgresql+psycopg://127.0.0.1:1/ledger?password={SECRET}")
    with pytest.raises(UsageError, match="query") as caught:
        _hook().get_conn()
    assert SECRET not in caught.value.explain()


def test_a_password_inside_the_url_is_told_to_airflows_masker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr("tidegate_airflow.hook.mask_secret", told.append)
    _connect(monkeypatch, host=f"postgresql+pg8000://gate:{SECRET}@db.example.com/ledger")

    settings = _hook().settings()

    assert told == [SECRET]
    assert SECRET in settings.ledger
    assert SECRET not in repr(settings)


def test_the_forms_test_button_says_what_the_gate_goes_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, host=f"sqlite:///{tmp_path / 'ledger.db'}", extra={"policy": "strict"})
    is_good, message = _hook().test_connection()
    assert is_good
    assert "strict" in message


class TestAConsole:
    """The connection's host is a console's address, its password the token."""

    ADDRESS = "https://console.example.com"

    def test_is_given_the_connections_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _connect(monkeypatch, host=f"{self.ADDRESS}/", password=SECRET)
        settings = _hook().settings()
        assert (settings.ledger, settings.token) == (self.ADDRESS, SECRET)
        assert SECRET not in repr(settings)

    @pytest.mark.parametrize(
        "fields",
        [
            {"host": "https://user:hunter2-and-more@console.example.com"},
            {"host": "http://console.example.com", "password": SECRET},
            {"host": "https://console.example.com", "password": f"{SECRET} \n"},
            {"host": "https://console.example.com", "password": SECRET, "login": "ada"},
            {"host": "https://console.example.com", "password": SECRET, "port": 5432},
            {"host": "https://console.example.com?token=x", "password": SECRET},
        ],
    )
    def test_that_would_not_be_safe_or_is_not_understood_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object]
    ) -> None:
        _connect(monkeypatch, **fields)
        with pytest.raises(UsageError) as refused:
            _hook().settings()
        assert SECRET not in refused.value.explain()

    def test_gates_a_task(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from samples.consoles import console_at

        from tidegate import Action

        (tmp_path / "model.json").write_text('{"threshold": 0.5}')
        database = f"sqlite:///{tmp_path / 'served.db'}"
        with console_at(tmp_path / "console", database) as console:
            _connect(monkeypatch, host=console.address, password=console.token("airflow"))
            with _hook().get_conn() as gate:
                decision = gate.check(tmp_path / "model.json", Action.REGISTER, actor="dag.task")
            assert decision.allowed
            assert decision.actor == "airflow (says: dag.task)"
            assert _hook().test_connection()[0]
