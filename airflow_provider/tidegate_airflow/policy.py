"""Airflow's cluster policy: a DAG that registers or deploys has a scan or gate before it.

    [tidegate]
    compulsory = refuse             # off (the default), warn or refuse
    consequential = MyDeployOperator, OtherOperator

A task that registers or deploys is held by a gate when a gate is upstream of it and every task
from there on, itself included, runs by the trigger rule `all_success`. With any other rule it
could start though the gate failed or was skipped.

Always holds: where it is off nothing is looked at; a setting that is not understood refuses; no
state of a task is believed. Airflow loads this module in each of its processes, so it imports
nothing but Airflow's marker until a DAG is looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Set
from typing import Any

from airflow.policies import hookimpl

_MODES = ("off", "warn", "refuse")
_GATES = frozenset({"DeployGateOperator", "ScanArtifactOperator"})
_STRICT_RULE = "all_success"
_log = logging.getLogger(__name__)


@hookimpl  # type: ignore[untyped-decorator]
def dag_policy(dag: Any) -> None:
    """Refuse or warn of a DAG in which something is registered or deployed past the gate.

    Raises:
        AirflowClusterPolicyViolation: the DAG is refused; Airflow shows it as an import error.
    """
    from airflow.configuration import conf
    from airflow.exceptions import AirflowClusterPolicyViolation

    mode = (conf.get("tidegate", "compulsory", fallback="off") or "off").strip().lower()
    if mode == "off":
        return
    if mode not in _MODES:
        raise AirflowClusterPolicyViolation(
            f"[tidegate] compulsory is {mode!r}, which is none of {', '.join(_MODES)}. No DAG is "
            "let in until whoever runs this Airflow sets it right."
        )
    more = conf.get("tidegate", "consequential", fallback="") or ""
    problems = ungated(dag, frozenset(each.strip() for each in more.split(",") if each.strip()))
    if not problems:
        return
    text = "\n".join(problems)
    if mode == "refuse":
        raise AirflowClusterPolicyViolation(text)
    _log.warning("%s", text)


def ungated(dag: Any, more_operators: Set[str] = frozenset()) -> list[str]:
    """What registers or deploys in a DAG without being held by a gate, each with its remedy.

    Args:
        dag: a DAG as its file defines it.
        more_operators: names of classes that count as well.
    """
    from tidegate_airflow.consequential import OPERATORS, what_it_does

    held = _held_tasks(dag)
    problems = []
    for task in dag.tasks:
        if task.task_id in held:
            continue
        why = what_it_does(task, OPERATORS | more_operators)
        if why is not None:
            problems.append(_message(dag, task, why))
    return problems


def _held_tasks(dag: Any) -> set[str]:
    """The tasks that can't start unless a gate upstream of them succeeded."""
    held: set[str] = set()
    waiting = [task for task in dag.tasks if _is_gate(task)]
    while waiting:
        for name in waiting.pop().downstream_task_ids:
            task = dag.task_dict[name]
            if name not in held and _rule(task) == _STRICT_RULE:
                held.add(name)
                waiting.append(task)
    return held


def _is_gate(task: Any) -> bool:
    """Whether it is a gate of ours; a subclass elsewhere may do something else."""
    from tidegate_airflow.consequential import class_of

    found = class_of(task)
    return found.__name__ in _GATES and found.__module__.startswith("tidegate_airflow.")


def _rule(task: Any) -> str:
    return str(getattr(task.trigger_rule, "value", task.trigger_rule))


def _message(dag: Any, task: Any, why: str) -> str:
    name = task.task_id
    upstream = {each.task_id: each for each in task.get_flat_relatives(upstream=True)}
    if not any(map(_is_gate, upstream.values())):
        return (
            f"Tidegate: the task {name!r} of {dag.dag_id!r} registers or deploys ({why}), and no "
            "scan is upstream of it. Put a gate before it:\n"
            "    from tidegate_airflow import DeployGateOperator\n"
            '    gate = DeployGateOperator(task_id="gate", path=…, subject=…, expected_digest=…)\n'
            f"    gate >> {name.rpartition('.')[2]}\n"
            "For an exception ask whoever runs this Airflow ([tidegate] compulsory)."
        )
    loose = sorted(
        each.task_id
        for each in [task, *upstream.values()]
        if _rule(each) != _STRICT_RULE and not _is_gate(each)
    )
    return (
        f"Tidegate: the task {name!r} of {dag.dag_id!r} registers or deploys ({why}) and can start "
        "though the gate upstream of it failed or was skipped, by the trigger rules of: "
        f"{', '.join(loose)}. Take trigger_rule=… (or as_teardown()) off these tasks, or put the "
        f"gate right before {name!r}, which then needs trigger_rule='all_success'.\n"
        "For an exception ask whoever runs this Airflow ([tidegate] compulsory)."
    )
