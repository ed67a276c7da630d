"""Tasks that let an artifact go on only on evidence: scan it, and check it again before use.

    scan = ScanArtifactOperator(task_id="scan", path=model_path, subject="fraud")
    gate = DeployGateOperator(
        task_id="gate", path=model_path, subject="fraud", expected_digest=scan.output["digest"]
    )

How a task of this module ends:

- an allowing decision: success;
- a hold, an artifact that can't be read, a setting that can't be used: `AirflowFailException`,
  which Airflow doesn't retry, for trying again changes nothing about the bytes;
- a ledger out of reach: `AirflowException`, which it does retry;
- anything else that goes wrong fails the task too. Nothing but a decision is a pass.

The result (`GateResult`) is pushed before the task fails, so that a hold can be looked up by
its digest and decision id. Results are for people and for wiring tasks together: no operator
here believes one, nor the state of another task, but hashes the bytes and asks the ledger.

What is checked (`path`, `subject`, `expected_digest`) may be templates. How strictly (`action`,
`policy`, the connection) may not: whoever triggers a run must not be able to loosen it.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict

from tidegate.errors import OperatorError, TidegateError, UsageError
from tidegate.policy.model import Action
from tidegate_airflow.compat import (
    AirflowException,
    AirflowFailException,
    BaseOperator,
    Context,
)
from tidegate_airflow.hook import DEFAULT_CONN_ID, TidegateHook

if TYPE_CHECKING:
    from tidegate.gate import Gate
    from tidegate.policy.model import Decision

ANY_DIGEST = "any"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


class GateResult(TypedDict):
    """What a task pushes as its return value, and each field under its own key as well.

    `digest` is the artifact's ("sha256:" and 64 hex digits), `verdict` the scan's (pass, fail,
    inconclusive, unscanned), `outcome` the policy's (allow, quarantine, deny). In audit mode a
    task succeeds with an outcome other than allow. `decision_id` finds the decision in the
    ledger; it is None for bytes that nobody scanned, of which nothing is on record. `path` is
    absolute.
    """

    digest: str
    verdict: str
    outcome: str
    decision_id: int | None
    subject: str
    path: str


class _GateOperator(BaseOperator):
    """What both operators share: open the Gate, get a decision, push it, hold or go on."""

    ui_color: ClassVar[str] = "#d7ecef"

    def __init__(
        self,
        *,
        path: str | os.PathLike[str],
        subject: str,
        policy: str | None,
        tidegate_conn_id: str,
        on_block: Literal["fail"],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_block != "fail":
            raise ValueError(f'on_block must be "fail", not {on_block!r}')
        self.path = path
        self.subject = subject
        self.policy = policy
        self.tidegate_conn_id = tidegate_conn_id
        self.on_block = on_block
        self._is_deciding = False

    def execute(self, context: Context) -> GateResult:
        """Decide about the artifact.

        Returns:
            The result, when the artifact may go on.

        Raises:
            AirflowFailException: it may not, or nothing can be said about it as it is.
            AirflowException: the ledger is out of reach; another try may find it.
        """
        with _as_airflow_errors():
            path = _local_path(self.path)
            subject = _text("subject", self.subject)
            hook = TidegateHook(self.tidegate_conn_id, policy=self.policy)
            with hook.get_conn() as gate, self._deciding():
                decision = self.decide(gate, path, subject, _actor(context))
        result = GateResult(
            digest=decision.digest,
            verdict=decision.verdict,
            outcome=decision.outcome.value,
            decision_id=decision.id,
            subject=subject,
            path=path,
        )
        try:
            self._push(context, result)
        finally:
            # Also where the push failed: why the artifact is held is what people must read.
            if not decision.allowed:
                raise AirflowFailException(decision.explain())
        if decision.outcome.value == "allow":
            self.log.info("%s", decision.explain())
        else:
            self.log.warning("%s", decision.explain())
        return result

    def on_kill(self) -> None:
        """Leave a scan that is under way, so that its processes end with the task.

        Airflow calls this from its signal handler, in the midst of `execute`; an error is the
        one way out of there that unwinds it.
        """
        if self._is_deciding:
            raise AirflowException(f"{self.task_id} was ended from outside before it could decide")

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        self._is_deciding = True
        try:
            yield
        finally:
            self._is_deciding = False

    @abstractmethod
    def decide(self, gate: Gate, path: str, subject: str, actor: str) -> Decision:
        """The decision that this task stands for."""

    def _push(self, context: Context, result: GateResult) -> None:
        if not self.do_xcom_push:
            return
        task_instance = context["ti"]
        # Each by its own key too: `task.output["digest"]` asks for the key "digest".
        for key, value in result.items():
            task_instance.xcom_push(key=key, value=value)
        task_instance.xcom_push(key="return_value", value=dict(result))


class ScanArtifactOperator(_GateOperator):
    """Scans a file or folder and fails where the policy holds it.

    The same bytes under the same rules are scanned once; a later scan takes the evidence from
    the ledger, and decides anew.

    Args:
        path: the file or folder, on a disk that this worker reads. Template.
        subject: what the artifact is called in reviews, such as the model's name. Template.
        action: what the artifact is wanted for: register, alias, stage, load or deploy.
        policy: a policy file or built-in profile; refused where the connection sets another.
        tidegate_conn_id: the connection (see `TidegateHook`).
        on_block: what a hold does; "fail" fails the task, with no retry.
    """

    template_fields: ClassVar[Sequence[str]] = ("path", "subject")

    def __init__(
        self,
        *,
        path: str | os.PathLike[str],
        subject: str,
        action: Action | str = Action.REGISTER,
        policy: str | None = None,
        tidegate_conn_id: str = DEFAULT_CONN_ID,
        on_block: Literal["fail"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            path=path,
            subject=subject,
            policy=policy,
            tidegate_conn_id=tidegate_conn_id,
            on_block=on_block,
            **kwargs,
        )
        # A misspelt action shows when the DAG is read, not when it runs. Kept as plain text,
        # because Airflow writes operators down as JSON.
        self.action = Action(action).value

    def decide(self, gate: Gate, path: str, subject: str, actor: str) -> Decision:
        """Scan, decide and record."""
        return gate.check(path, Action(self.action), subject=subject, actor=actor)


class DeployGateOperator(_GateOperator):
    """Hashes an artifact again and lets it through to deployment only on evidence about it.

    It scans nothing: bytes that the ledger has no evidence about are held, whatever the tasks
    before say of themselves. Put it right before what deploys.

    Args:
        path: the file or folder that is about to be deployed. Template.
        subject: what the artifact is called in reviews. Template.
        expected_digest: the digest that `path` must have, such as `scan.output["digest"]`.
            Template. What renders to nothing is refused; leave it out to take any digest that
            the ledger has a passing record of.
        policy: a policy file or built-in profile; refused where the connection sets another.
        tidegate_conn_id: the connection (see `TidegateHook`).
        on_block: what a hold does; "fail" fails the task, with no retry.
    """

    template_fields: ClassVar[Sequence[str]] = ("path", "subject", "expected_digest")

    def __init__(
        self,
        *,
        path: str | os.PathLike[str],
        subject: str,
        # Not None: a template or an upstream task that comes to None must not switch this off.
        expected_digest: str = ANY_DIGEST,
        policy: str | None = None,
        tidegate_conn_id: str = DEFAULT_CONN_ID,
        on_block: Literal["fail"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            path=path,
            subject=subject,
            policy=policy,
            tidegate_conn_id=tidegate_conn_id,
            on_block=on_block,
            **kwargs,
        )
        self.expected_digest = expected_digest
        # A template that renders to the very word must not switch the check off either.
        self.checks_digest = not (
            isinstance(expected_digest, str) and expected_digest == ANY_DIGEST
        )

    def decide(self, gate: Gate, path: str, subject: str, actor: str) -> Decision:
        """Hash, look up the evidence, decide for deployment and record."""
        expected = self.expected_digest
        if self.checks_digest and not (isinstance(expected, str) and _DIGEST.fullmatch(expected)):
            raise UsageError(
                f"expected_digest came out as {expected!r}, which is no digest",
                remedy='pass the scan\'s, as in expected_digest=scan.output["digest"], or leave '
                "it out",
            )
        return gate.standing(
            path,
            Action.DEPLOY,
            subject=subject,
            actor=actor,
            expected=expected if self.checks_digest else None,
        )


@contextmanager
def _as_airflow_errors() -> Iterator[None]:
    """Turn each family of errors into the one that makes Airflow do the right thing."""
    try:
        yield
    except OperatorError as error:
        raise AirflowException(error.explain()) from error
    except TidegateError as error:
        raise AirflowFailException(error.explain()) from error


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(
            f"{name} came out as {value!r}",
            remedy=f"check the template, or the task whose output {name} is",
        )
    return value


def _local_path(value: object) -> str:
    """The absolute path. An empty one would be the worker's own folder, so it is refused."""
    path = _text("path", os.fspath(value) if isinstance(value, os.PathLike) else value)
    if _REMOTE.match(path):
        raise UsageError(
            f"path is {path!r}, and only files on a local or mounted disk are read",
            remedy="download the artifact in the task before, and pass the folder it is in",
        )
    # Not normalised: behind a link, ".." leads elsewhere than the text says.
    return str(Path(path).absolute())


def _actor(context: Context) -> str:
    """Who asks, for the ledger: the task instance, down to its mapped index."""
    task_instance = context["ti"]
    index = getattr(task_instance, "map_index", -1)
    which = f"{task_instance.dag_id}/{task_instance.run_id}/{task_instance.task_id}"
    return f"airflow:{which}" + (f"[{index}]" if isinstance(index, int) and index >= 0 else "")
