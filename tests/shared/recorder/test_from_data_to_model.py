"""From a data set to a registered model and one tuned from it, by real commands and scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict, ParseError
from samples.tampering import owner, rows

from tidegate import Action, Gate, read_manifest
from tidegate.attestation.envelopes import statement_in
from tidegate.ledger import Ledger
from tidegate.ledger.lineage import ancestors, descendants
from tidegate.ledger.said import SLSA
from tidegate.ledger.schema import statement

CLEAN = "import sys; open(sys.argv[2], 'w').write(open(sys.argv[1]).read().upper())"
TRAIN = """
import json
from pathlib import Path
import numpy
rows = Path("train.csv").read_text().splitlines()
Path("model.json").write_text(json.dumps({"rows": len(rows), "mean": float(numpy.mean([1, 2]))}))
"""
TUNE = """
import json
from pathlib import Path
import tidegate

with tidegate.step("tune", bases=["models:/fraud/1"], inputs=["more.csv"]) as s:
    Path("tuned.json").write_text(json.dumps({"rows": 7, "tuned": True}))
    s.output("tuned.json")
print(s.id)
"""


@pytest.fixture
def pipeline(work, database_url, monkeypatch):
    """The ledger's URL after data was cleaned, a model trained, registered and tuned further."""
    monkeypatch.setenv("TIDEGATE_LEDGER", database_url)
    run_pipeline()
    return database_url


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory):
    """The folder and ledger of the same, once for the tests that only read."""
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "train.csv").touch()
    url = f"sqlite:///{folder / 'ledger.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TIDEGATE_LEDGER", url)
        run_pipeline()
    return folder, url


def run_pipeline():
    Path("raw.csv").write_text("a,b\n1,2\n")
    Path("train.csv").unlink()
    Path("more.csv").write_text("A,B\n7,8\n")
    for name, text in (("clean.py", CLEAN), ("train.py", TRAIN), ("tune.py", TUNE)):
        Path(name).write_text(text)
    tidegate("attest", "run", "--input", "raw.csv", "--output", "train.csv", "--",
             sys.executable, "clean.py", "raw.csv", "train.csv")  # fmt: skip
    tidegate("attest", "run", "--input", "train.csv", "--output", "model.json", "--",
             sys.executable, "train.py")  # fmt: skip
    with Gate.open() as gate:
        decision = gate.check("model.json", Action.REGISTER, subject="fraud")
        gate.ledger.add_registration(
            store="registry", name="fraud", version="1", created_ms=1, source="model.json",
            digest=decision.digest, decision_id=decision.id,
        )  # fmt: skip
    subprocess.run([sys.executable, "tune.py"], check=True)


def tidegate(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_model_leads_back_to_its_data_and_the_data_on_to_the_tuned_model(pipeline):
    digest = {path.name: read_manifest(path).digest for path in Path.cwd().iterdir()}
    with Ledger.open(pipeline, migrate=False) as ledger:
        above = {each.node: each.generation for each in ancestors(ledger, digest["tuned.json"])}
        below = {each.node: each.generation for each in descendants(ledger, digest["raw.csv"])}
    assert above[digest["model.json"]] == above[digest["more.csv"]] == 1
    assert above[digest["train.csv"]] == 2
    assert above[digest["raw.csv"]] == 3
    assert above[digest["train.py"]] == 2
    artifacts = {node for node in below if not node.startswith("step:")}
    assert artifacts == {digest[name] for name in ("train.csv", "model.json", "tuned.json")}
    subprocess.run([sys.executable, "-m", "tidegate", "ledger", "verify"], check=True)


CHAIN = """
schema: 1
chain: {roles: [data, code]}
"""


def test_a_policy_that_demands_the_chain_is_content_with_what_was_recorded(on_sqlite):
    folder, url = on_sqlite
    Path("policy.yaml").write_text(CHAIN)
    Path("other.json").write_text('{"rows": 9}')
    with Gate.open(policy="policy.yaml", ledger=url) as gate:
        for model in ("model.json", "tuned.json"):
            decision = gate.check(folder / model, Action.DEPLOY, subject=model)
            assert decision.allowed, decision.explain()
        other = gate.check("other.json", Action.DEPLOY, subject="other")
    assert {reason.rule for reason in other.reasons} == {"CHAIN-STEP"}


def test_every_statement_is_of_the_form_that_slsa_publishes(on_sqlite):
    _, url = on_sqlite
    provenance = pytest.importorskip(
        "in_toto_attestation.predicates.provenance.v1.provenance_pb2"
    ).Provenance
    from in_toto_attestation.v1.statement_pb2 import Statement

    with owner(url) as connection:
        envelopes = [row["envelope"] for row in rows(connection, statement)]
    read = [json.loads(statement_in(each.encode()).to_bytes()) for each in envelopes]
    steps = [each for each in read if each["predicateType"] == SLSA]
    assert [
        each["predicate"]["buildDefinition"]["externalParameters"]["name"] for each in steps
    ] == [
        "clean",
        "train",
        "tune",
    ]
    for each in steps:
        ParseDict(each, Statement())
        # A predicate may be extended by fields that are URIs, and must have no other.
        predicate = {name: value for name, value in each["predicate"].items() if "://" not in name}
        parsed = ParseDict(predicate, provenance())
        assert parsed.build_definition.resolved_dependencies
        assert parsed.run_details.metadata.invocation_id.startswith("step:")
        with pytest.raises(ParseError):
            ParseDict({**predicate, "somethingElse": 1}, provenance())
