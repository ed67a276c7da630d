"""A step while it runs: what is named as it goes, hashed, and recorded at its end.

    with tidegate.step("train", inputs=["train.csv"], parameters={"depth": 3}) as s:
        …
        s.output("model.skops")

Always holds:

- an input is hashed when it is named and again at the end; one that is another by then is recorded
  with both digests, for either may have been read;
- what the block raises goes on as it is, whatever recording comes to, and the step is recorded as
  failed; what it had written by then is recorded as by-products;
- an output that is not there is an error, and the step no success; one that was there before and
  was not written since is recorded, and that is said;
- no credential is recorded that can be told for one (`tidegate.provenance.redaction`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextvars import ContextVar, Token
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tidegate.attestation.step import Material, Step, StepOutcome, new_step_id
from tidegate.errors import ArtifactError, OperatorError, UsageError
from tidegate.provenance import (
    HostProbe,
    Redactor,
    Surroundings,
    of_this_program,
    with_what_came_since,
)
from tidegate.recorder import keeping, who
from tidegate.recorder.materials import Materials, Named, Watched, of_surroundings, several
from tidegate.recorder.outputs import Outputs

if TYPE_CHECKING:
    from tidegate.recorder.keeping import AnyLedger

SCRIPT, NOTEBOOK, COMMAND = (
    f"https://tidegate.dev/builders/{kind}/v1" for kind in ("script", "notebook", "command")
)
_CURRENT: ContextVar[RunningStep | None] = ContextVar("tidegate_step", default=None)


class RunningStep:
    """One run of a step, from its beginning to its record. Made by `tidegate.step`.

    A context manager. Who can't use one (an operator of Airflow, a callback) calls `begin`,
    `finish` and `record` in this order. Not for several threads at once.

    Attributes:
        id: the step's id, known from the start.
        step: the finished step, from `finish` on.
        recorded: whether it is on record.
        code: the files and folders of code that were named at the start.
        redactor: takes credentials out of what is recorded.
    """

    def __init__(
        self,
        name: str,
        *,
        inputs: Iterable[Named] = (),
        bases: Iterable[Named] = (),
        code: Iterable[Named] = (),
        outputs: Iterable[Named] = (),
        parameters: Mapping[str, Any] | None = None,
        ledger: str | AnyLedger | None = None,
        strict: bool = False,
        actor: str | None = None,
        parent: str | None = None,
        builder: str | None = None,
    ) -> None:
        """Take what is known at the start; nothing is read before `begin`.

        Args:
            name: what the step is called, such as "train".
            inputs: data that goes in; see `input` for what may be named.
            bases: models that are trained further.
            code: files and folders of code, the script first; the script of this program and its
                modules are found without.
            outputs: files and folders that the step writes, where they are known now.
            parameters: settings that it runs with.
            ledger: a ledger, its URL or a console's address; by default the one of the environment.
            strict: whether a ledger that is away is an error, at the start and at the end.
            actor: who runs it, for the record.
            parent: the id of the step that it runs in; by default the one around the block.
            builder: the URI of what runs it.
        """
        if not name.strip():
            raise UsageError("a step needs a name")
        self.id = new_step_id()
        self.step: Step | None = None
        self.recorded = False
        self._name = name
        self._builder = builder
        self._actor = actor
        self._ledger = ledger
        self._strict = strict
        self._parent = parent
        self.redactor = Redactor()
        self._materials = Materials(self.redactor, lambda: keeping.opened(self._ledger))
        self.code = several(code, "code")
        self._first_named = (
            *((each, "data") for each in several(inputs, "inputs")),
            *((each, "base") for each in several(bases, "bases")),
            *((each, "code") for each in self.code),
        )
        self._first_outputs = several(outputs, "outputs")
        self._inputs: list[Watched | Material] = []
        self._outputs = Outputs(self._materials)
        self._parameters: dict[str, Any] = {}
        self._metrics: dict[str, Any] = {}
        # Kept in order and without repetition.
        self._claims: dict[str, None] = {}
        self._notes: dict[str, None] = {}
        self._process = os.getpid()
        self._token: Token[RunningStep | None] | None = None
        self.parameters(parameters or {})

    def begin(self, surroundings: Surroundings | None = None) -> Self:
        """Look at the surroundings, and hash the inputs that were named.

        Args:
            surroundings: what the caller knows of code and environment; by default they are
                those of this program.

        Raises:
            ArtifactError: an input can't be read.
            RecordNotFoundError: an input is not on record.
            OperatorError: the ledger can't be used, where `strict` is set or an input has to be
                looked up.
            UsageError: a setting or an argument is wrong.
        """
        self._look_at_the_ledger()
        self._acting, claims = who.acts(self._actor)
        self._parent, more = who.is_around(self._parent)
        self._claims.update(dict.fromkeys((*claims, *more)))
        self._started = datetime.now(UTC)
        self._probe = HostProbe.start()
        self._is_this_program = surroundings is None
        self._around = surroundings or of_this_program(self.redactor)
        self._script = self._read_script(self._around.script)
        for named, role in self._first_named:
            self.input(named, role=role)
        for named in self._first_outputs:
            self._outputs.name(named, "output", early=True)
        return self

    def input(
        self,
        named: Named,
        *,
        role: str = "data",
        digest: str | None = None,
        uri: str | None = None,
    ) -> str:
        """Name something that goes into the step; its digest.

        Args:
            named: a file or folder; a digest or `models:/NAME/VERSION` that is on record; or any
                URI, with its digest.
            role: what it is here: "data", "base" (a model that is trained further), or another
                word in lower case.
            digest: which bytes a URI stands for, on the caller's word.
            uri: where a file or folder was fetched from, on the caller's word.

        Raises:
            As `begin` does.
        """
        found = self._materials.of_input(named, role, digest=digest)
        self._inputs.append(found)
        if isinstance(found, Watched):
            if uri is not None:
                found = found.fetched_from(self.redactor.url(uri))
                self._inputs[-1] = found
                self._claims[f"inputs.{found.material.name}.uri"] = None
            return found.material.digest
        self._claims[f"inputs.{found.name}"] = None
        return found.digest

    def output(self, path: Named, *, role: str = "output") -> Path:
        """Name a file or folder that the step writes, before or after it is written; its path.

        `models:/NAME/VERSION` names a version that it registers: the digest is then the one that
        the ledger has for it at the step's end.
        """
        return self._outputs.name(path, role)

    def parameter(self, name: str, value: Any) -> None:
        """Record a setting that the step ran with."""
        self.parameters({name: value})

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Record settings. A value that looks like a secret is hidden, and that is noted."""
        for name, value in values.items():
            self._parameters[str(name)] = self.redactor.value(str(name), value)
            self._claims["parameters"] = None

    def metric(self, name: str, value: float) -> None:
        """Record a number that the step came to, on the caller's word."""
        self._metrics[str(name)] = self.redactor.value("metric", value)
        self._claims["metrics"] = None

    def note(self, text: str) -> None:
        """Record a sentence for those who read the record later."""
        self._notes[self.redactor.text("a note", text)] = None

    def finish(self, error: BaseException | None = None, *, exit_code: int | None = None) -> Step:
        """Hash the outputs, look at the inputs again, and make the step of all that is known.

        Args:
            error: what ended the step, if it did not end well.
            exit_code: the command's exit code, where there is one; other than 0 is a failure.

        Returns:
            The step, also in `step`. It is not on record yet. `problems` has what is wrong with
            its outputs, which makes it a failed one.
        """
        finished = datetime.now(UTC)
        failed = error is not None or exit_code not in (None, 0)
        outputs = self._outputs.read(self._started, failed=failed)
        inputs = self._inputs_at_the_end()
        around = self._around
        if self._is_this_program:
            around = with_what_came_since(around, self.redactor)
        if error is not None:
            # Its text may show anything, data and passwords among it.
            self.note(f"ended by {type(error).__module__}.{type(error).__qualname__}")
        if isinstance(error, SystemExit) and exit_code is None:
            exit_code = who.exit_code_of(error)
        for material in outputs:
            if material.manifest is None:
                self._claims[f"outputs.{material.name}"] = None
        host = self._probe.result()
        if host.image is not None:
            self._claims["host.image"] = None
        for text in self._outputs.notes:
            self.note(text)
        if hidden := ", ".join(self.redactor.hidden):
            self._notes[f"hidden, for it looks like a secret: {hidden}"] = None
        succeeded = not failed and not self.problems
        self.step = Step(
            id=self.id,
            name=self.redactor.text("the name", self._name),
            builder=self._builder or (NOTEBOOK if around.code.cells else SCRIPT),
            started_at=self._started,
            finished_at=finished,
            outcome=StepOutcome.SUCCEEDED if succeeded else StepOutcome.FAILED,
            exit_code=exit_code,
            # The script may have been named as well.
            inputs=tuple(
                dict.fromkeys(
                    (*inputs, *of_surroundings(around.code, around.environment, self._script))
                )
            ),
            outputs=outputs if succeeded else tuple(replace(o, role="byproduct") for o in outputs),
            parameters=self._parameters,
            code=around.code.to_dict(),
            environment=around.environment.to_dict(),
            host=host.to_dict(),
            actor=self._acting,
            claims=tuple(self._claims),
            parent=self._parent,
            metrics=self._metrics,
            notes=tuple(self._notes),
        )
        return self.step

    @property
    def problems(self) -> tuple[ArtifactError, ...]:
        """What is wrong with the outputs that were named, from `finish` on."""
        return self._outputs.problems

    def record(self, ledger: str | AnyLedger | None = None) -> None:
        """Put the finished step on record; to be called again where it failed before.

        Raises:
            OperatorError: the ledger can't be reached or written to.
            UsageError: the step is not finished, or is more than a ledger takes.
        """
        if self.step is None:
            raise UsageError("the step is not finished", remedy="call finish() first")
        with keeping.opened(ledger or self._ledger) as opened:
            opened.record_step(self.step)
        self.recorded = True

    def end(self, error: BaseException | None = None, *, exit_code: int | None = None) -> str:
        """Finish and record; what to tell a person where it is not on record, or "".

        Raises:
            Exception: what kept it from being recorded, where `strict` is set and the step itself
                did not fail.
        """
        try:
            self.finish(error, exit_code=exit_code)
            self.record()
        except Exception as problem:  # the caller's work outweighs whatever befalls its record
            if self._strict and error is None and not exit_code:
                raise
            return keeping.keep_for_later(self.step, self._name, self._ledger, problem)
        return ""

    def __enter__(self) -> Self:
        if self._parent is None and (outer := _CURRENT.get()) is not None:
            self._parent = outer.id
        self.begin()
        self._token = _CURRENT.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if os.getpid() != self._process:
            # A fork of the program leaves the block too: the step is its parent's.
            return
        if self._token is not None:
            _CURRENT.reset(self._token)
        try:
            unrecorded = self.end(error)
        except KeyboardInterrupt as interrupt:
            said = f"The step {self._name!r} is not on record: recording it was interrupted."
            keeping.warn(said, interrupt)
            raise
        if unrecorded:
            keeping.warn(unrecorded, error)
        if error is None and self.problems:
            raise self.problems[0]

    def _look_at_the_ledger(self) -> None:
        """Find out now that the ledger is away, and not when the work is done."""
        try:
            with keeping.opened(self._ledger):
                return
        except OperatorError as problem:
            if self._strict:
                raise
            keeping.warn(
                f"The step {self._name!r} begins without its ledger: {problem.explain()}\n"
                "  It is tried again at the step's end."
            )

    def _read_script(self, script: Path | None) -> Watched | None:
        if script is None:
            return None
        try:
            return self._materials.read(script, "code")
        except ArtifactError as problem:
            self.note(f"the script was not read: {problem.message}")
            return None

    def _inputs_at_the_end(self) -> tuple[Material, ...]:
        """The inputs as they were named, and as they are now where that is something else."""
        found: dict[Material, None] = {}
        for each in self._inputs:
            if isinstance(each, Material):
                found[each] = None
                continue
            found[each.material] = None
            if each.path in self._outputs:
                continue
            now = self._materials.again(each)
            name = each.material.name
            if isinstance(now, Material):
                found[now] = None
                self.note(
                    f"the input {name} changed while the step ran, from "
                    f"{each.material.digest} to {now.digest}; either may have been read"
                )
            elif now is not None:
                self.note(f"the input {name} {now}")
        return tuple(found)
