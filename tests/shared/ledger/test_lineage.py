"""Whatever came of an artifact is reached from it, and nothing else; the same way up."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

import pytest
from samples.graphs import artifact, draw, node, step
from samples.ledger_records import a_step

from tidegate.attestation.step import Material
from tidegate.errors import UsageError
from tidegate.ledger import Ledger, lineage_links, lineage_reached
from tidegate.ledger.lineage import Reached, ancestors, descendants, paths, why


def names(reached: Iterator[Reached], *known: str) -> dict[str, int]:
    """How far away each node is, by what the test called it."""
    by_node = {node(each): each for each in known}
    found = {}
    for each in reached:
        title = by_node.get(each.node, each.node)
        assert title not in found, "each node once"
        found[title] = each.generation
    return found


def test_what_came_of_a_data_set_is_reached_with_its_generation(ledger: Ledger) -> None:
    draw(ledger, "data.csv -> clean -> tidy.csv", "tidy.csv + base -> train -> model")
    all_of_it = ("data.csv", "!clean", "tidy.csv", "!train", "base", "model")
    assert names(descendants(ledger, node("data.csv")), *all_of_it) == {
        "!clean": 1, "tidy.csv": 1, "!train": 2, "model": 2,
    }  # fmt: skip
    assert names(ancestors(ledger, node("model")), *all_of_it) == {
        "!train": 1, "base": 1, "tidy.csv": 1, "!clean": 2, "data.csv": 2,
    }  # fmt: skip
    assert names(descendants(ledger, node("data.csv"), depth=1), *all_of_it) == {
        "!clean": 1, "tidy.csv": 1,
    }  # fmt: skip
    assert names(descendants(ledger, node("data.csv"), depth=0), *all_of_it) == {}
    assert names(ancestors(ledger, node("data.csv")), *all_of_it) == {}


def test_a_walk_may_begin_at_a_step(ledger: Ledger) -> None:
    draw(ledger, "a.csv -> one -> b.csv", "b.csv -> two -> c.csv")
    known = ("a.csv", "b.csv", "c.csv", "!one", "!two")
    assert names(descendants(ledger, node("!one")), *known) == {
        "b.csv": 1, "!two": 2, "c.csv": 2,
    }  # fmt: skip
    assert names(ancestors(ledger, node("!two")), *known) == {"b.csv": 1, "!one": 2, "a.csv": 2}
    assert names(descendants(ledger, node("!one"), depth=0), *known) == {}
    assert names(descendants(ledger, node("!one"), depth=1), *known) == {"b.csv": 1}


def test_ten_levels_hold_exactly_the_descendants(ledger: Ledger) -> None:
    draw(ledger, *(f"m{n}.bin + base{n} -> s{n} -> m{n + 1}.bin" for n in range(10)))
    draw(ledger, "base3 -> beside -> other.bin")
    known = [f"m{n}.bin" for n in range(11)]
    steps = [f"!s{n}" for n in range(10)]
    found = names(descendants(ledger, node("m0.bin")), *known, *steps)
    assert found == {
        **{f"m{n}.bin": n for n in range(1, 11)},
        **{f"!s{n}": n + 1 for n in range(10)},
    }
    found = names(descendants(ledger, node("base3")), *known, *steps, "!beside", "other.bin")
    assert set(found) == {*known[4:], *steps[3:], "!beside", "other.bin"}


def test_a_cycle_ends(ledger: Ledger) -> None:
    draw(
        ledger, "a.csv -> one -> b.csv", "b.csv -> two -> a.csv", "a.csv -> still -> a.csv",
        "c.csv:a.csv -> three -> f{a.csv,x.csv}", "f{a.csv,x.csv} -> four -> c.csv:a.csv",
    )  # fmt: skip
    found = set(names(descendants(ledger, node("a.csv")), "a.csv", "b.csv"))
    assert "b.csv" in found
    assert "a.csv" not in found, "where it began is not its own descendant"
    assert names(ancestors(ledger, node("a.csv")), "b.csv")
    assert paths(ledger, [node("a.csv")], [node("b.csv")])
    assert why(ledger, [node("b.csv")]), "all goes in a circle, and still there is an answer"


def test_the_same_bytes_under_another_name_are_the_same_thing(ledger: Ledger) -> None:
    draw(ledger, "data.csv -> train -> weights.bin", "model.bin:weights.bin -> tune -> tuned.bin")
    known = ("data.csv", "!train", "weights.bin", "model.bin:weights.bin", "!tune", "tuned.bin")
    assert names(descendants(ledger, node("data.csv")), *known) == {
        "!train": 1, "weights.bin": 1, "model.bin:weights.bin": 1, "!tune": 2, "tuned.bin": 2,
    }  # fmt: skip
    assert names(ancestors(ledger, node("tuned.bin")), *known) == {
        "!tune": 1, "model.bin:weights.bin": 1, "weights.bin": 1, "!train": 2, "data.csv": 2,
    }  # fmt: skip


def test_a_file_leads_to_the_folders_that_hold_it(ledger: Ledger) -> None:
    folder = "model{weights.bin,MLmodel}"
    draw(ledger, "data.csv -> train -> weights.bin", f"{folder} -> serve -> answer.json")
    known = ("data.csv", "!train", "weights.bin", folder, "!serve", "answer.json")
    assert names(descendants(ledger, node("data.csv")), *known) == {
        "!train": 1, "weights.bin": 1, folder: 1, "!serve": 2, "answer.json": 2,
    }  # fmt: skip
    assert names(ancestors(ledger, node(folder)), *known) == {
        "weights.bin": 0, "!train": 1, "data.csv": 1,
    }  # fmt: skip
    # Of a folder in which a finished file was put, that file did not come.
    assert set(names(descendants(ledger, node(folder)), *known)) == {"!serve", "answer.json"}


def test_a_file_that_was_taken_from_a_folder_leads_on_from_it(ledger: Ledger) -> None:
    folder = "hub{weights.bin,LICENSE}"
    draw(ledger, f"ready.txt -> download -> {folder}", "weights.bin -> tune -> tuned.bin")
    known = ("ready.txt", "!download", folder, "weights.bin", "!tune", "tuned.bin")
    assert names(descendants(ledger, node("ready.txt")), *known) == {
        "!download": 1, folder: 1, "weights.bin": 1, "!tune": 2, "tuned.bin": 2,
    }  # fmt: skip
    assert names(ancestors(ledger, node("tuned.bin")), *known) == {
        "!tune": 1, "weights.bin": 1, folder: 1, "!download": 2, "ready.txt": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    "handing_on",
    ["weights.bin -> check -> weights.bin", "hub{weights.bin,LICENSE} -> unpack -> weights.bin",
     "copy.bin:weights.bin -> move -> weights.bin"],
)  # fmt: skip
def test_a_step_that_hands_a_file_on_does_not_cut_it_off_from_its_folder(
    ledger: Ledger, handing_on: str
) -> None:
    folder = "hub{weights.bin,LICENSE}"
    draw(ledger, f"ready.txt -> download -> {folder}", "weights.bin -> tune -> tuned.bin")
    draw(ledger, handing_on)
    assert node("tuned.bin") in {each.node for each in descendants(ledger, node("ready.txt"))}
    assert node("ready.txt") in {each.node for each in ancestors(ledger, node("tuned.bin"))}


@pytest.mark.parametrize("licence_alone", [False, True])
def test_two_folders_that_share_a_licence_have_nothing_to_do_with_each_other(
    ledger: Ledger, licence_alone: bool
) -> None:
    draw(
        ledger, "one.csv -> first -> m1{w1.bin,LICENSE.txt}",
        "two.csv -> second -> m2{w2.bin,LICENSE.txt}",
        "m2{w2.bin,LICENSE.txt} -> serve -> answer.json",
    )  # fmt: skip
    if licence_alone:
        draw(ledger, "LICENSE.txt -> read -> verdict.txt")
    known = ("m1{w1.bin,LICENSE.txt}", "m2{w2.bin,LICENSE.txt}", "!first", "!serve", "answer.json")
    known = (*known, "LICENSE.txt", "!read", "verdict.txt", "!second", "one.csv", "two.csv")
    found = set(names(descendants(ledger, node("one.csv")), *known))
    expected = {"!first", "m1{w1.bin,LICENSE.txt}"}
    if licence_alone:
        # What used the licence used a part of the model: it is reached, other folders are not.
        expected |= {"LICENSE.txt", "!read", "verdict.txt"}
    assert found == expected
    found = set(names(ancestors(ledger, node("answer.json")), *known))
    assert "one.csv" not in found
    assert "m1{w1.bin,LICENSE.txt}" not in found


def test_a_file_met_as_a_part_and_later_by_itself_counts_as_itself(ledger: Ledger) -> None:
    draw(
        ledger, "x.txt -> load -> hub{w.bin,a.txt}", "w.bin -> tune -> t.bin",
        "t.bin -> copy -> again.txt",
    )  # fmt: skip
    other = "other{w.bin,b.txt}"
    draw(ledger, f"{other} -> serve -> s.json")
    known = ("hub{w.bin,a.txt}", other, "w.bin", "!load", "!tune", "t.bin", "!copy", "again.txt")
    both = names(descendants(ledger, [node("x.txt"), node("w.bin")]), *known, "!serve", "s.json")
    assert {other, "!serve", "s.json"} <= set(both)
    alone = names(descendants(ledger, node("x.txt")), *known, "!serve", "s.json")
    assert other not in alone


def test_empty_files_join_nothing(ledger: Ledger) -> None:
    from samples.ledger_records import a_file

    from tidegate.attestation.step import material

    empty, also = a_file("__init__.py", ""), a_file("empty.txt", "")
    ledger.record_step(a_step(1, inputs=(material("e", "data", empty),)))
    ledger.record_step(a_step(2, outputs=(material("f", "output", also),)))
    assert {each.node for each in descendants(ledger, also.digest)} == set()
    assert {each.node for each in ancestors(ledger, empty.digest)} == set()


def test_a_digest_that_is_only_claimed_is_a_node_too(ledger: Ledger) -> None:
    commit, claimed = f"gitCommit:{'c' * 40}", f"sha256:{'9' * 64}"
    made = step("a.csv -> train -> m.bin")
    inputs = (*made.inputs, Material("code", "code", commit), Material("b", "base", claimed))
    ledger.record_step(a_step(inputs=inputs, outputs=made.outputs))
    for start in (commit, claimed):
        assert node("m.bin") in {each.node for each in descendants(ledger, start)}


@pytest.mark.parametrize("in_memory", [0, 5, 10_000])
def test_up_and_down_tell_of_the_same_links(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    """Whatever is reached downwards reaches back upwards, in graphs drawn by chance.

    Also where a walk goes over to its file at once, or in its midst.
    """
    monkeypatch.setattr(lineage_reached, "_IN_MEMORY", in_memory)
    chance = random.Random(7)
    files = [f"f{n}.bin" for n in range(6)] + ["g0.bin:f0.bin", "g1.bin:f1.bin"]
    folders = [
        f"d{n}{{{','.join(sorted(chance.sample(files[:6], 2)))},x{n}.txt}}" for n in range(4)
    ]
    everything = files + folders
    for number in range(9):
        inputs = " + ".join(chance.sample(everything, 2))
        draw(ledger, f"{inputs} -> s{number} -> {chance.choice(everything)}")
    nodes = [node(each) for each in everything]
    down = {(a, each.node) for a in nodes for each in descendants(ledger, a)}
    up = {(each.node, a) for a in nodes for each in ancestors(ledger, a)}
    both = set(itertools.product(nodes, nodes))
    assert down & both == up & both
    assert len(down & both) > 20
    for source, target in itertools.product(nodes[:6], nodes[6:]):
        found = paths(ledger, [source], [target], limit=3)
        assert bool(found) == ((source, target) in down)
        for way in found:
            assert (way[0].source, way[-1].target) == (source, target)
            assert all(a.target == b.source for a, b in itertools.pairwise(way))


def test_a_node_with_more_links_than_a_page_is_read_to_the_end(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage_links, "_AT_ONCE", 3)
    monkeypatch.setattr(lineage_links, "_PAGE", 2)
    draw(ledger, *(f"data.csv -> s{n} -> m{n}.bin" for n in range(9)))
    assert len(list(descendants(ledger, node("data.csv")))) == 18
    assert len(list(ancestors(ledger, [node(f"m{n}.bin") for n in range(9)]))) == 10


def test_paths_are_the_ways_between_the_shortest_first(ledger: Ledger) -> None:
    draw(
        ledger, "a.csv -> one -> b.csv", "b.csv -> two -> c.csv", "a.csv + b.csv -> three -> c.csv"
    )
    found = paths(ledger, [node("a.csv")], [node("c.csv")])
    by_node = {node(each): each for each in ("a.csv", "b.csv", "c.csv", "!one", "!two", "!three")}
    ways = [[by_node[link.source] for link in way] + [by_node[way[-1].target]] for way in found]
    assert ways[0] == ["a.csv", "!three", "c.csv"]
    assert sorted(ways[1:]) == [
        ["a.csv", "!one", "b.csv", "!three", "c.csv"], ["a.csv", "!one", "b.csv", "!two", "c.csv"],
    ]  # fmt: skip
    assert [link.role for link in found[0]] == ["data", "output"]
    assert len(paths(ledger, [node("a.csv")], [node("c.csv")], limit=2)) == 2
    assert paths(ledger, [node("c.csv")], [node("a.csv")]) == ()


def test_ways_that_multiply_do_not_hang(ledger: Ledger) -> None:
    draw(ledger, *(f"n{n}.bin -> s{n}{way} -> n{n + 1}.bin" for n in range(40) for way in "ab"))
    found = paths(ledger, [node("n0.bin")], [node("n8.bin")], limit=5)
    assert len(found) == 5
    assert all(len(way) == 16 for way in found)
    # A million million ways lead there, all of the same length.
    found = paths(ledger, [node("n0.bin")], [node("n40.bin")], limit=5)
    assert [len(way) for way in found] == [80] * 5


def test_why_goes_back_to_each_origin(ledger: Ledger) -> None:
    draw(ledger, "raw.csv -> clean -> tidy.csv", "tidy.csv + base -> train -> model")
    found = why(ledger, [node("model")])
    assert [way[0].source for way in found] == [node("raw.csv"), node("base")]
    assert [link.role for link in found[0]] == ["data", "output", "data", "output"]
    assert all(way[-1].target == node("model") for way in found)
    assert why(ledger, [node("raw.csv")]) == ()


Walk = Callable[..., Iterator[Reached]]


@pytest.mark.parametrize("walk", [ancestors, descendants])
def test_what_is_not_on_record_leads_nowhere(ledger: Ledger, walk: Walk) -> None:
    draw(ledger, "a.csv -> one -> b.csv")
    for start in (artifact("unknown").digest, "step:" + "0" * 32, "'; --", ""):
        assert list(walk(ledger, start)) == []
    assert list(walk(ledger, [])) == []
    with pytest.raises(UsageError, match="can't be recorded"):
        list(walk(ledger, "\udcff"))
