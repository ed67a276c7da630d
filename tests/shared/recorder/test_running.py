"""A step in a script: what is named is hashed, what happens is recorded, nothing is lost."""

# ruff: noqa: PT012, PT031 - a step is a block, and does more than one thing

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
import warnings
from pathlib import Path

import pytest

import tidegate
from tidegate import Action, Gate, read_manifest
from tidegate.attestation.step import StepOutcome
from tidegate.errors import (
    ArtifactMissingError,
    ArtifactUnreadableError,
    LedgerUnavailableError,
    RecordNotFoundError,
    UsageError,
)
from tidegate.ledger import Ledger
from tidegate.ledger.spool import Spool
from tidegate.recorder import RunningStep, UnrecordedStepWarning

AWAY = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"


@pytest.fixture(autouse=True)
def ledger_url(monkeypatch, tmp_path):
    """Steps find their ledger as users' do: in the environment."""
    monkeypatch.setenv("TIDEGATE_SPOOL", str(tmp_path / "spool"))
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("TIDEGATE_LEDGER", url)
    return url


@pytest.fixture
def on_record():
    """The step on record under an id."""

    def find(running):
        with Ledger.open(os.environ["TIDEGATE_LEDGER"], migrate=False) as ledger:
            return ledger.step(running.id)

    return find


def named(materials, role):
    return [(each.name, each.digest) for each in materials if each.role == role]


def test_a_step_is_recorded_with_the_bytes_that_went_in_and_came_out(
    monkeypatch, database_url, on_record
):
    monkeypatch.setenv("TIDEGATE_LEDGER", database_url)
    with tidegate.step("train", inputs=["train.csv"], parameters={"depth": 3}) as s:
        Path("model.skops").write_bytes(b"weights")
        s.output("model.skops")
        s.metric("accuracy", 0.93)
    step = on_record(s)
    assert s.recorded
    assert step == s.step
    assert (step.name, step.outcome, step.exit_code) == ("train", StepOutcome.SUCCEEDED, None)
    assert named(step.inputs, "data") == [("train.csv", read_manifest("train.csv").digest)]
    assert named(step.outputs, "output") == [("model.skops", read_manifest("model.skops").digest)]
    assert (step.parameters, step.metrics) == ({"depth": 3}, {"accuracy": "0.93"})
    assert step.claims == ("parameters", "metrics")
    assert step.started_at <= step.finished_at
    assert step.environment["python"] == platform.python_version()


def test_the_ledger_that_is_given_is_the_one_that_is_written_to(tmp_path):
    url = f"tidegate+sqlite:///{tmp_path / 'other.db'}"
    with tidegate.step("train", ledger=url) as s:
        pass
    with Ledger.open(url.removeprefix("tidegate+")) as ledger:
        assert ledger.step(s.id) == s.step
        with tidegate.step("again", ledger=ledger) as again:
            pass
        assert ledger.step(again.id) == again.step


def test_an_exception_goes_on_unchanged_and_the_step_is_recorded_as_failed(on_record):
    error = RuntimeError("password=hunter2")
    with pytest.raises(RuntimeError) as caught, tidegate.step("train", outputs=["half.bin"]) as s:
        Path("half.bin").write_bytes(b"half")
        raise error
    assert caught.value is error
    assert not hasattr(error, "__notes__")
    step = on_record(s)
    assert step.outcome is StepOutcome.FAILED
    assert [(each.name, each.role) for each in step.outputs] == [("half.bin", "byproduct")]
    assert step.notes == ("ended by builtins.RuntimeError",)
    assert "hunter2" not in json.dumps(step.to_dict())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), None),
        (SystemExit(4), 4),
        (SystemExit(), 0),
        (SystemExit("no data"), 1),
        (GeneratorExit(), None),
    ],
)
def test_interrupting_and_leaving_the_program_are_recorded_too(on_record, error, code):
    with pytest.raises(BaseException) as caught, tidegate.step("train") as s:
        raise error
    assert caught.value is error
    assert (on_record(s).outcome, on_record(s).exit_code) == (StepOutcome.FAILED, code)


def test_an_input_that_changed_while_the_step_ran_is_recorded_as_both(on_record):
    before = read_manifest("train.csv").digest
    with tidegate.step("train", inputs=["train.csv"]) as s:
        Path("train.csv").write_text("x,y\n6,6\n")
    step = on_record(s)
    after = read_manifest("train.csv").digest
    assert [digest for _, digest in named(step.inputs, "data")] == [before, after]
    (note,) = step.notes
    assert before in note
    assert after in note


def test_an_input_that_is_gone_at_the_end_is_said(on_record):
    with tidegate.step("train", inputs=["train.csv"]) as s:
        Path("train.csv").unlink()
    (note,) = on_record(s).notes
    assert "train.csv could not be read again" in note


def test_an_input_that_was_put_back_as_it_was_is_said_to_have_been_touched(on_record):
    before = Path("train.csv").read_bytes()
    with tidegate.step("train", inputs=["train.csv"]) as s:
        Path("train.csv").write_text("x,y\n6,6\n")
        Path("train.csv").write_bytes(before)
    step = on_record(s)
    assert len(named(step.inputs, "data")) == 1
    (note,) = step.notes
    assert "was written, replaced or touched" in note


def test_an_input_that_was_only_read_is_not(on_record):
    with tidegate.step("train", inputs=["train.csv"]) as s:
        Path("train.csv").read_bytes()
    assert on_record(s).notes == ()


def test_a_link_that_is_turned_elsewhere_is_a_changed_input(on_record):
    Path("other.csv").write_text("x,y\n6,6\n")
    Path("link.csv").symlink_to("train.csv")
    with tidegate.step("train", inputs=["link.csv"]) as s:
        Path("link.csv").unlink()
        Path("link.csv").symlink_to("other.csv")
    digests = [digest for _, digest in named(on_record(s).inputs, "data")]
    assert len(digests) == 2


def test_a_file_that_is_trained_further_in_place_is_input_and_output(on_record):
    Path("model.bin").write_bytes(b"old")
    old = read_manifest("model.bin").digest
    with tidegate.step("tune", bases=["model.bin"], outputs=["model.bin"]) as s:
        Path("model.bin").write_bytes(b"new")
    step = on_record(s)
    assert named(step.inputs, "base") == [("model.bin", old)]
    assert named(step.outputs, "output") == [("model.bin", read_manifest("model.bin").digest)]
    assert step.notes == ()


def test_an_output_that_was_there_before_and_was_not_written_is_said(on_record):
    Path("old.bin").write_bytes(b"old")
    Path("new.bin").write_bytes(b"old")
    with tidegate.step("train", outputs=["old.bin", "new.bin"]) as s:
        Path("new.bin").write_bytes(b"old")
    step = on_record(s)
    assert len(step.outputs) == 2
    assert step.notes == (
        "the output old.bin was there before the step began, and was not written since",
    )


def test_an_output_named_late_is_told_to_be_old_by_its_time(on_record):
    Path("old.bin").write_bytes(b"old")
    time.sleep(0.1)
    with tidegate.step("train") as s:
        s.output("old.bin")
        Path("new.bin").write_bytes(b"new")
        s.output("new.bin")
    (note,) = on_record(s).notes
    assert "old.bin was there before" in note


def test_an_output_that_is_not_there_is_an_error_and_the_step_no_success(on_record):
    with (
        pytest.raises(ArtifactMissingError, match=r"nothing\.bin"),
        tidegate.step("train", outputs=["nothing.bin", "train.csv"]) as s,
    ):
        Path("train.csv").write_text("new")
    step = on_record(s)
    assert step.outcome is StepOutcome.FAILED
    assert [(each.name, each.role) for each in step.outputs] == [("train.csv", "byproduct")]
    assert "the output nothing.bin is not there" in step.notes


def test_an_output_with_a_link_in_it_is_an_error(on_record):
    with pytest.raises(ArtifactUnreadableError), tidegate.step("train", outputs=["model"]) as s:
        Path("model").mkdir()
        Path("model/weights").symlink_to("/etc/hostname")
    assert on_record(s).outcome is StepOutcome.FAILED


def test_an_input_that_is_not_there_stops_the_step_before_it_begins():
    with pytest.raises(ArtifactMissingError), tidegate.step("train", inputs=["tarin.csv"]):
        pytest.fail("the block ran")


def test_one_name_where_a_list_belongs_is_refused():
    with pytest.raises(UsageError, match="inputs is a list"):
        tidegate.step("train", inputs="train.csv")


def test_what_is_on_record_may_be_named_by_its_digest(on_record):
    with tidegate.step("train", inputs=["train.csv"], outputs=["base.bin"]):
        Path("base.bin").write_bytes(b"weights")
    digest = read_manifest("base.bin").digest
    with tidegate.step("tune", bases=[digest]) as s:
        assert s.input(digest.removeprefix("sha256:"), role="reference") == digest
    step = on_record(s)
    (base,) = [each for each in step.inputs if each.role == "base"]
    assert (base.digest, base.manifest) == (digest, None)
    assert f"inputs.{digest}" in step.claims


def test_a_digest_or_version_that_is_not_on_record_is_refused():
    for reference in (f"sha256:{'0' * 64}", "models:/fraud/3"):
        with pytest.raises(RecordNotFoundError), tidegate.step("tune", bases=[reference]):
            pytest.fail("the block ran")


def test_what_somebody_calls_his_bytes_is_no_registration_and_no_digest(ledger_url):
    Path("evil.json").write_text("{}")
    with Gate.open() as gate:
        for subject in ("fraud/3", f"sha256:{'0' * 64}"):
            gate.check("evil.json", Action.REGISTER, subject=subject)
    for reference in ("models:/fraud/3", f"sha256:{'0' * 64}"):
        with pytest.raises(RecordNotFoundError), tidegate.step("tune", bases=[reference]):
            pytest.fail("the block ran")


def test_a_role_or_name_that_is_none_is_refused_before_the_work():
    with pytest.raises(UsageError, match="name"):
        tidegate.step(" ")
    with pytest.raises(UsageError, match="not a role"), tidegate.step("train") as s:
        s.output("model.bin", role="The Model")
    with pytest.raises(UsageError, match="not a role"), tidegate.step("train") as s:
        s.input("train.csv", role="")


@pytest.mark.parametrize("name", ["models:/fraud@champion", "models:/fraud/Production"])
def test_an_alias_or_stage_is_no_version(name):
    with pytest.raises(UsageError, match="one version"), tidegate.step("tune", bases=[name]):
        pytest.fail("the block ran")


def test_a_uri_that_can_not_be_read_needs_its_digest_and_keeps_no_signature(on_record):
    digest = f"sha256:{'a' * 64}"
    with pytest.raises(UsageError, match="can't be read"), tidegate.step("x", inputs=["s3://b/k"]):
        pytest.fail("the block ran")
    with tidegate.step("train") as s:
        s.input("s3://b/train.csv?X-Amz-Signature=hunter2&versionId=7", digest=digest)
    step = on_record(s)
    (data,) = [each for each in step.inputs if each.role == "data"]
    assert (data.name, data.uri) == ("train.csv", "s3://b/train.csv?versionId=7")
    assert "inputs.train.csv" in step.claims
    assert "hunter2" not in json.dumps(step.to_dict())


def test_a_base_model_in_the_hubs_cache_is_read_and_watched(on_record):
    blobs = Path("hub/models--acme--bert/blobs")
    snapshot = blobs.parent / "snapshots" / "9c1d"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "6f3a").write_bytes(b"weights")
    (snapshot / "model.safetensors").symlink_to("../../blobs/6f3a")
    with tidegate.step("tune", bases=[snapshot]) as s:
        (blobs / "6f3a").write_bytes(b"others!")
    step = on_record(s)
    assert len(named(step.inputs, "base")) == 2
    assert "changed while the step ran" in step.notes[0]


def test_where_a_file_was_fetched_from_is_recorded_as_a_claim(on_record):
    with tidegate.step("train") as s:
        s.input("train.csv", uri="https://ada:hunter2@data.example.com/train.csv?sig=hunter2")
    (data,) = [each for each in on_record(s).inputs if each.role == "data"]
    assert data.uri == "https://data.example.com/train.csv"
    assert data.manifest == read_manifest("train.csv")
    assert "inputs.train.csv.uri" in on_record(s).claims


def test_a_file_is_that_file_even_if_it_is_called_like_a_digest(on_record):
    name = "a" * 64
    Path(name).write_bytes(b"x")
    with tidegate.step("train", inputs=[name]) as s:
        pass
    assert named(on_record(s).inputs, "data") == [(name, read_manifest(name).digest)]


def test_steps_within_steps_know_the_outer_one(on_record):
    with tidegate.step("outer") as outer:
        with tidegate.step("inner") as inner:
            pass
        with tidegate.step("second") as second:
            pass
    with tidegate.step("after") as after:
        pass
    assert [on_record(each).parent for each in (outer, inner, second, after)] == [
        None,
        outer.id,
        outer.id,
        None,
    ]


def test_a_step_in_a_command_that_is_a_step_knows_it_from_its_environment(monkeypatch, on_record):
    parent = f"step:{'1' * 32}"
    monkeypatch.setenv("TIDEGATE_PARENT_STEP", parent)
    with tidegate.step("inner") as inner:
        pass
    monkeypatch.setenv("TIDEGATE_PARENT_STEP", "x; rm")
    with tidegate.step("no parent") as orphan:
        pass
    assert (on_record(inner).parent, on_record(orphan).parent) == (parent, None)
    assert on_record(inner).claims == ("parent",)


def test_secrets_among_parameters_are_hidden_and_that_is_noted(on_record):
    with tidegate.step("train", parameters={"lr": 0.1, "db": {"password": "hunter2"}}) as s:
        s.parameter("api_key", "hunter2")
    step = on_record(s)
    assert step.parameters["lr"] == "0.1"
    assert "hunter2" not in json.dumps(step.to_dict())
    assert step.notes == ("hidden, for it looks like a secret: db.password, api_key",)


def test_who_acts_is_the_user_or_a_claim(monkeypatch, on_record):
    with tidegate.step("train") as as_user:
        pass
    monkeypatch.setenv("TIDEGATE_ACTOR", "ada")
    with tidegate.step("train") as as_ada:
        pass
    assert "actor" not in on_record(as_user).claims
    assert (on_record(as_ada).actor, on_record(as_ada).claims) == ("ada", ("actor",))


def test_the_environment_is_an_input_whose_digest_others_can_compute(on_record):
    with tidegate.step("train") as s:
        pass
    step = on_record(s)
    (environment,) = [each for each in step.inputs if each.role == "environment"]
    listing = "".join(f"{line}\n" for line in step.environment["distributions"]).encode()
    (file,) = environment.manifest.files
    assert (file.size, file.sha256) == (len(listing), hashlib.sha256(listing).hexdigest())
    assert any(line.startswith("numpy==") for line in step.environment["libraries"])


def test_a_step_without_a_block_is_begun_finished_and_recorded_by_hand(on_record):
    s = RunningStep("train", inputs=["train.csv"], builder="https://example.com/airflow")
    step = s.begin().finish(exit_code=3)
    assert not s.recorded
    s.record()
    s.record()
    assert on_record(s) == step
    assert (step.outcome, step.exit_code) == (StepOutcome.FAILED, 3)
    assert step.builder == "https://example.com/airflow"


def test_a_fork_that_leaves_the_block_records_nothing(on_record):
    with tidegate.step("train") as s:
        child = os.fork()
        if child == 0:
            try:
                s.__exit__(None, None, None)
            finally:
                os._exit(0 if s.step is None else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert on_record(s).outcome is StepOutcome.SUCCEEDED


def register(path, version):
    with Gate.open() as gate:
        decision = gate.check(path, Action.REGISTER, subject="fraud")
        gate.ledger.add_registration(
            store="registry", name="fraud", version=version, created_ms=1, source=str(path),
            digest=decision.digest, decision_id=decision.id,
        )  # fmt: skip
    return decision.digest


def test_a_version_that_the_step_registered_is_an_output_by_its_digest(on_record):
    with tidegate.step("train", inputs=["train.csv"]) as s:
        s.output("models:/fraud/3")
        Path("model.json").write_text("{}")
        digest = register("model.json", "3")
    step = on_record(s)
    assert [(each.name, each.digest) for each in step.outputs] == [("fraud/3", digest)]
    assert "outputs.fraud/3" in step.claims
    with tidegate.step("tune", bases=["models:/fraud/3"]) as tuned:
        pass
    assert named(on_record(tuned).inputs, "base") == [("fraud/3", digest)]


def test_a_version_that_nobody_registered_is_a_missing_output(on_record):
    with pytest.raises(ArtifactMissingError), tidegate.step("train") as s:
        s.output("models:/fraud/4")
    assert on_record(s).outcome is StepOutcome.FAILED
    with pytest.raises(UsageError, match="one version"), tidegate.step("train") as s:
        s.output("models:/fraud@champion")


def test_recording_that_is_interrupted_is_said(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "record_step", interrupted)
    with (
        pytest.warns(UnrecordedStepWarning, match="was interrupted"),
        pytest.raises(KeyboardInterrupt),
        tidegate.step("train"),
    ):
        pass


class TestWithoutALedger:
    """The work outweighs its record, unless the caller says otherwise."""

    @pytest.fixture(autouse=True)
    def away(self, ledger_url, monkeypatch):
        monkeypatch.setenv("TIDEGATE_LEDGER", AWAY)

    def test_the_work_goes_on_and_what_to_do_is_said_before_and_after(self):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with tidegate.step("train", outputs=["model.bin"]) as s:
                Path("model.bin").write_bytes(b"weights")
        assert not s.recorded
        before, after = [each for each in said if each.category is UnrecordedStepWarning]
        assert "begins without its ledger" in str(before.message)
        assert "is not on record" in str(after.message)
        assert "To mend it" in str(after.message)
        assert before.filename == after.filename == __file__
        assert "hunter2" not in f"{before.message}{after.message}"

    def test_it_can_be_recorded_later(self, tmp_path):
        with pytest.warns(UnrecordedStepWarning), tidegate.step("train") as s:
            pass
        url = f"sqlite:///{tmp_path / 'later.db'}"
        s.record(url)
        with Ledger.open(url) as ledger:
            assert ledger.step(s.id) == s.step

    def test_strict_stops_before_anything_runs(self):
        with pytest.raises(LedgerUnavailableError), tidegate.step("train", strict=True):
            pytest.fail("the block ran")

    def test_strict_raises_where_the_ledger_goes_away_meanwhile(self, monkeypatch, ledger_url):
        monkeypatch.setenv("TIDEGATE_LEDGER", ledger_url)
        with pytest.raises(LedgerUnavailableError), tidegate.step("train", strict=True):
            monkeypatch.setenv("TIDEGATE_LEDGER", AWAY)

    @pytest.mark.parametrize("strict", [False, True])
    def test_the_blocks_own_error_is_not_replaced(self, monkeypatch, ledger_url, strict):
        monkeypatch.setenv("TIDEGATE_LEDGER", ledger_url)
        error = RuntimeError("no")
        with (
            pytest.warns(UnrecordedStepWarning),
            pytest.raises(RuntimeError) as caught,
            tidegate.step("train", strict=strict),
        ):
            monkeypatch.setenv("TIDEGATE_LEDGER", AWAY)
            raise error
        assert caught.value is error

    def test_warnings_that_are_errors_do_not_replace_it_either(self, monkeypatch, ledger_url):
        monkeypatch.setenv("TIDEGATE_LEDGER", ledger_url)
        error = RuntimeError("no")
        with warnings.catch_warnings(), pytest.raises(RuntimeError) as caught:
            warnings.simplefilter("error")
            with tidegate.step("train"):
                monkeypatch.setenv("TIDEGATE_LEDGER", AWAY)
                raise error
        assert caught.value is error
        assert "is not on record" in error.__notes__[0]

    def test_a_fault_of_ours_costs_no_work_either(self, monkeypatch, ledger_url):
        monkeypatch.setenv("TIDEGATE_LEDGER", ledger_url)
        monkeypatch.setattr(Ledger, "record_step", lambda *_: 1 / 0)
        with (
            pytest.warns(UnrecordedStepWarning, match="fault of Tidegate"),
            tidegate.step("x") as s,
        ):
            pass
        assert not s.recorded

    def test_an_input_that_must_be_looked_up_needs_the_ledger(self):
        with (
            pytest.warns(UnrecordedStepWarning),
            pytest.raises(LedgerUnavailableError),
            tidegate.step("tune", bases=["models:/fraud/3"]),
        ):
            pytest.fail("the block ran")

    def test_it_waits_in_the_spool_until_the_ledger_is_back(self, monkeypatch, ledger_url):
        monkeypatch.setenv("TIDEGATE_LEDGER", ledger_url)
        Path("train.csv").write_text("in the spool, too")
        file = Path(ledger_url.removeprefix("sqlite:///"))
        with (
            pytest.warns(UnrecordedStepWarning, match="tidegate ledger spool flush"),
            tidegate.step("x", inputs=["train.csv"]) as s,
        ):
            file.rename("aside.db")
            file.mkdir()
        file.rmdir()
        Path("aside.db").rename(file)
        with Ledger.open(ledger_url) as ledger:
            with pytest.raises(RecordNotFoundError):
                ledger.step(s.id)
            flushed = Spool.open().flush(ledger)
            assert (flushed.sent, flushed.set_aside, flushed.stopped) == (1, (), None)
            assert ledger.step(s.id) == s.step

    def test_a_version_that_can_not_be_looked_up_costs_no_record(self, monkeypatch, ledger_url):
        with pytest.warns(UnrecordedStepWarning), tidegate.step("train", outputs=["m.bin"]) as s:
            Path("m.bin").touch()
            s.output("models:/fraud/3")
        assert [each.name for each in s.step.outputs] == ["m.bin"]
        assert "models:/fraud/3 was not looked up" in s.step.notes[0]

    def test_without_a_spool_the_work_goes_on_too(self, monkeypatch):
        Path("file").touch()
        monkeypatch.setenv("TIDEGATE_SPOOL", "file/spool")
        with pytest.warns(UnrecordedStepWarning) as said, tidegate.step("x"):
            pass
        assert "can't be kept on this machine either" in str(said[-1].message)

    def test_what_no_ledger_would_take_is_not_kept_for_one(self, monkeypatch, ledger_url):
        monkeypatch.setenv("TIDEGATE_LEDGER", ledger_url)
        parameters = {f"p{number}": "x" * 15_000 for number in range(300)}
        with (
            pytest.warns(UnrecordedStepWarning, match="larger than") as said,
            tidegate.step("x", parameters=parameters),
        ):
            pass
        assert "spool" not in str(said[-1].message)
