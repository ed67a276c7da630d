"""What a walk has reached is the same whether it is kept in memory or in a file."""

from __future__ import annotations

import random
from contextlib import closing

import pytest

from tidegate.ledger import lineage_reached
from tidegate.ledger.lineage_reached import ReachedNodes


@pytest.mark.parametrize("room", [0, 7, 10_000])
def test_a_node_is_numbered_once_for_each_freer_way(
    monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(lineage_reached, "_IN_MEMORY", room)
    chance = random.Random(4)
    freest: dict[str, int] = {}
    expected: list[tuple[str, int]] = []
    with closing(ReachedNodes()) as reached:
        for _ in range(60):
            nodes = [f"node {chance.randrange(40)}" for _ in range(4)]
            way = chance.choice([0, 0, 1, 2, 3])
            new = reached.add(nodes, way=way)
            assert new == set(nodes) - freest.keys()
            for node in dict.fromkeys(nodes):
                if freest.get(node, way + 1) > way:
                    freest[node] = way
                    expected.append((node, way))
        found = [each for batch in reached.between(1, reached.size) for each in batch]
        assert found == expected
        assert len(found) > len(freest)
