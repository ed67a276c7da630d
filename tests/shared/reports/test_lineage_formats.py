"""Every format of the lineage is well formed, whatever names an attacker has put into the graph."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from samples.graphs import draw, node, step_id
from samples.ledger_records import a_file, a_step

from tidegate.attestation.step import StepOutcome, material
from tidegate.ledger import Ledger
from tidegate.ledger.lineage import Direction
from tidegate.ledger.lineage_graph import Graph, graph_around
from tidegate.policy import Action
from tidegate.reports.lineage import FORMATS
from tidegate.reports.lineage.layers import layered
from tidegate.scanners.interface import Severity

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "openlineage-v1.json"
HOSTILE = (
    "<script>alert(1)</script>",
    '"]; click n0 "javascript:alert(1)"',
    "`**bold**` #quot; %%{init: {}}%%",
    "\x1b]0;owned\x07\x1b[2J",
    "a\u202egpj.exe",
    "line\nflowchart TD\n",
    "&lt;b&gt;]]><!--",
    "\ud800\x00\x0b\uffff",
    "x" * 4000,
)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


@pytest.fixture
def hostile(small: Ledger) -> Graph:
    """Each name as that of a step, of its input, its output, its actor and its builder."""
    for number, name in enumerate(HOSTILE):
        small.record_step(
            a_step(
                number, name=name, builder=name, actor=name,
                inputs=(material(name, "data", a_file("root.csv")),),
                outputs=(material(name, "output", a_file(f"out-{number}.bin")),),
            )
        )  # fmt: skip
    return graph_around(small, [node("root.csv")], tuple(Direction))


def around(ledger: Ledger, name: str, **options: Any) -> Graph:
    return graph_around(ledger, [node(name)], tuple(Direction), **options)


def test_no_name_drives_a_terminal_or_forges_a_line(hostile: Graph) -> None:
    text = FORMATS["text"](hostile)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "\u202e" not in text
    tree = [line for line in text.splitlines() if line.startswith(("├", "│", "└", " "))]
    # A line for the digest, and two for each step: its own and its output's.
    assert len(tree) == 1 + 2 * len(HOSTILE)
    assert len([line for line in text.splitlines() if line.startswith("flowchart")]) == 0


def test_no_name_breaks_out_of_a_mermaid_label(hostile: Graph) -> None:
    lines = FORMATS["mermaid"](hostile).splitlines()
    safe = r"(?:[A-Za-z0-9 ._,-]|#[0-9]+;)*"
    shapes = rf'  n[0-9]+(?:\("|\["|\(\["){safe}<br/>{safe}(?:"\)|"\]|"\]\))'
    link = rf'  n[0-9]+ -->\|"{safe}"\| n[0-9]+'
    ours = r"  class(?:Def)? [a-z0-9,]+ [a-z0-9:#,.-]+"
    assert lines[0] == "flowchart LR"
    for line in lines[1:]:
        assert re.fullmatch(f"{shapes}|{link}|{ours}", line), line
    assert len([line for line in lines if "-->" in line]) == 2 * len(HOSTILE)


def test_no_name_gets_markup_into_the_picture(hostile: Graph) -> None:
    picture = FORMATS["svg"](hostile)
    root = ElementTree.fromstring(picture)
    name_space = "{http://www.w3.org/2000/svg}"
    tags = {each.tag.removeprefix(name_space) for each in root.iter()}
    assert tags == {"svg", "title", "rect", "defs", "marker", "path", "g", "text"}
    for each in root.iter():
        for attribute in each.attrib:
            assert not attribute.startswith("on")
            assert "href" not in attribute
    texts = [each.text or "" for each in root.iter(f"{name_space}text")]
    assert "<script>alert(1)</script>" in texts
    assert all(text.isprintable() for text in texts)


@pytest.mark.parametrize("form", ["json", "openlineage", "prov"])
def test_names_in_json_come_back_as_they_were_recorded(hostile: Graph, form: str) -> None:
    text = FORMATS[form](hostile)
    assert text.isascii()
    found = set()
    for document in [text] if form != "openlineage" else text.splitlines():
        pending: list[Any] = [json.loads(document)]
        while pending:
            each = pending.pop()
            if isinstance(each, dict):
                assert not any("script" in key for key in each), "names are never keys"
                pending += each.values()
            elif isinstance(each, list):
                pending += each
            elif isinstance(each, str):
                found.add(each)
    assert {name for name in HOSTILE if "\ud800" not in name} <= found


def test_openlineage_events_are_of_their_form(small: Ledger) -> None:
    draw(
        small, "raw.csv -> clean -> tidy.csv", "tidy.csv -> train -> weights.bin",
        "model{weights.bin,MLmodel} -> serve -> answer.json",
    )  # fmt: skip
    small.record_step(
        a_step(
            outcome=StepOutcome.FAILED, finished_at=None, exit_code=1,
            inputs=(material("r", "data", a_file("raw.csv")),), outputs=(),
        )
    )  # fmt: skip
    text = FORMATS["openlineage"](around(small, "raw.csv"))
    events = [json.loads(line) for line in text.splitlines()]
    checker = jsonschema.Draft202012Validator(
        json.loads(SCHEMA.read_text()), format_checker=jsonschema.FormatChecker()
    )
    for event in events:
        checker.validate(event)
        datetime.fromisoformat(event["eventTime"]).astimezone(UTC)
    runs = [event for event in events if "run" in event]
    kinds = {(each["job"]["name"], each["eventType"]) for each in runs}
    assert kinds == {
        *itertools.product(("clean", "train", "serve"), ("START", "COMPLETE")),
        ("train-1", "START"), ("train-1", "FAIL"),
    }  # fmt: skip
    (trained,) = (e for e in runs if (e["job"]["name"], e["eventType"]) == ("train", "COMPLETE"))
    assert trained["run"]["runId"].replace("-", "") == step_id("train").removeprefix("step:")
    assert [each["name"] for each in trained["inputs"]] == [node("tidy.csv")]
    assert [each["name"] for each in trained["outputs"]] == [node("weights.bin")]
    (joined,) = (event["dataset"] for event in events if "dataset" in event)
    assert joined["name"] == node("model{weights.bin,MLmodel}")
    assert joined["facets"]["tidegate_content"]["links"] == [
        {"source": node("weights.bin"), "role": "put into"}
    ]


def test_prov_has_entities_activities_agents_and_what_ties_them(small: Ledger) -> None:
    draw(
        small, "raw.csv + base -> train -> w.bin", "m{w.bin,x.txt} -> serve -> answer.json",
        "copy.bin:w.bin -> tune -> t.bin",
    )  # fmt: skip
    found = json.loads(FORMATS["prov"](around(small, "raw.csv")))
    for kind in ("used", "wasGeneratedBy", "wasAssociatedWith", "wasDerivedFrom", "alternateOf"):
        for relation in found[kind].values():
            for key, value in relation.items():
                known = {"prov:entity": "entity", "prov:activity": "activity"}.get(key)
                known = known or ("agent" if key == "prov:agent" else None)
                assert known is None or value in found[known], (kind, key)
    used = found["used"].values()
    assert {"prov:activity": step_id("tune"), "prov:entity": node("copy.bin:w.bin"),
            "prov:role": "data"} in used  # fmt: skip
    derived = found["wasDerivedFrom"].values()
    assert {each["prov:generatedEntity"] for each in derived} == {node("m{w.bin,x.txt}")}
    assert node("w.bin") in {each["prov:usedEntity"] for each in derived}
    (alternate,) = found["alternateOf"].values()
    assert {*alternate.values()} == {node("copy.bin:w.bin"), node("w.bin")}
    for name in found["entity"] | found["activity"] | found["agent"]:
        assert name.split(":")[0] in found["prefix"]


def test_versions_deployments_and_holds_are_shown_with_what_they_are_of(small: Ledger) -> None:
    from samples.ledger_records import record

    for action, subject, severity in (
        (Action.DEPLOY, "prod\x1b[2J", None), (Action.REGISTER, "fraud/2", Severity.HIGH),
    ):  # fmt: skip
        decision = record(small, subject=subject, action=action, severity=severity)
    for version in ("1", "2"):
        small.add_registration(
            store="s", name="fraud", version=version, created_ms=1, source="",
            digest=decision.digest, decision_id=None,
        )  # fmt: skip
    graph = graph_around(small, [decision.digest], tuple(Direction))
    first = FORMATS["text"](graph).splitlines()[0]
    assert first.startswith("fraud/2 (folder, sha256:")
    assert first.endswith("also fraud/1, deployed as prod\\x1b[2J, held for review)")
    (found,) = json.loads(FORMATS["json"](graph))["nodes"]
    assert found["versions"] == ["fraud/2", "fraud/1"]
    assert found["deployments"] == ["prod\x1b[2J"]
    (entity,) = json.loads(FORMATS["prov"](graph))["entity"].values()
    assert entity["tidegate:decision"] == "quarantine"
    assert "#fbe9e7" in FORMATS["svg"](graph)


def test_a_tree_shows_ways_that_meet_once_and_circles_with_an_end(small: Ledger) -> None:
    draw(
        small, "a.csv -> one -> b.csv", "a.csv -> two -> c.csv", "b.csv + c.csv -> three -> d.csv",
        "d.csv -> back -> a.csv",
    )  # fmt: skip
    text = FORMATS["text"](around(small, "a.csv"))
    up, down = text.split("What came of it:")
    assert "made by back" in up
    assert up.count("data: a.csv") == 2
    assert down.count("data of three") == 2
    assert down.count("output: d.csv") == 1, "what is known is not gone into again"


def test_only_as_many_nodes_as_asked_for_are_shown_and_that_is_said(small: Ledger) -> None:
    draw(small, *(f"a.csv -> s{number} -> o{number}.csv" for number in range(20)))
    part, whole = around(small, "a.csv", limit=7), around(small, "a.csv")
    assert (len(part.nodes), part.complete) == (7, False)
    assert (len(whole.nodes), whole.complete) == (41, True)
    ids = {each.id for each in part.nodes}
    assert all({link.source, link.target} <= ids for link in part.links)
    assert "There is more" in FORMATS["text"](part)
    assert "There is more" in FORMATS["mermaid"](part)
    assert "There is more" in FORMATS["svg"](part)
    assert "There is more" not in FORMATS["svg"](whole)
    assert json.loads(FORMATS["json"](part))["complete"] is False
    assert "There is more" not in FORMATS["text"](whole)


def test_boxes_stand_apart_and_right_of_what_leads_to_them(small: Ledger) -> None:
    chance = random.Random(3)
    for number in range(25):
        start = " + ".join(f"f{chance.randrange(number + 1)}.bin" for _ in range(2))
        draw(small, f"{start} -> s{number} -> f{number + 1}.bin")
    graph = around(small, "f0.bin")
    root = ElementTree.fromstring(FORMATS["svg"](graph))
    boxes = [
        tuple(int(group[1].attrib[name]) for name in ("x", "y", "width", "height"))
        for group in root.iter("{http://www.w3.org/2000/svg}g")
    ]
    assert len(boxes) == len(graph.nodes)
    for (ax, ay, aw, ah), (bx, by, bw, bh) in itertools.combinations(boxes, 2):
        assert ax + aw < bx or bx + bw < ax or ay + ah < by or by + bh < ay
    place = {n.id: box[0] for n, box in zip(graph.nodes, boxes, strict=True)}
    assert all(place[link.source] < place[link.target] for link in graph.links)


def test_layers_hold_each_node_once_whatever_circles_there_are() -> None:
    chance = random.Random(5)
    for size in (1, 2, 9, 60):
        nodes = [str(number) for number in range(size)]
        links = [(chance.choice(nodes), chance.choice(nodes)) for _ in range(3 * size)]
        layers = layered(nodes, links)
        assert sorted(itertools.chain(*layers)) == sorted(nodes)
    assert layered([], []) == []
    deep = [str(number) for number in range(5000)]
    assert len(layered(deep, itertools.pairwise(deep))) == 5000
