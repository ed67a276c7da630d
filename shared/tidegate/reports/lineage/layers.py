"""Where the nodes of a graph stand: in layers from left to right, with few crossings.

After Sugiyama, Tagawa and Toda (1981), in its plainest form: links that go back in a circle are
turned for the layout, each node stands right of all that lead to it, and within a layer nodes are
sorted by the mean place of their neighbours, a few times to and fro.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_SWEEPS = 4

Layers = list[list[str]]


def layered(nodes: Sequence[str], links: Iterable[tuple[str, str]]) -> Layers:
    """The nodes of each layer, from above to below; every node stands in one."""
    forward = _without_circles(nodes, links)
    depth = _depths(nodes, forward)
    layers: Layers = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in nodes:
        layers[depth[node]].append(node)
    neighbours: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in forward:
        neighbours[source].append(target)
        neighbours[target].append(source)
    for sweep in range(_SWEEPS):
        places = {node: place for layer in layers for place, node in enumerate(layer)}
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            means = {
                node: sum(places[each] for each in near) / len(near) if near else places[node]
                for node in layer
                for near in [neighbours[node]]
            }
            layer.sort(key=lambda node: means[node])
            places |= {node: place for place, node in enumerate(layer)}
    return layers


def _without_circles(
    nodes: Sequence[str], links: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The links, those turned round that lead back to where the search still is."""
    after: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in dict.fromkeys(links):
        if source != target:
            after[source].append(target)
    found: list[tuple[str, str]] = []
    state: dict[str, int] = {}
    for root in nodes:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(after[root]))]
        while stack:
            node, rest = stack[-1]
            target = next(rest, "")
            if not target:
                state[node] = 2
                stack.pop()
            elif state.get(target) == 1:
                found.append((target, node))
            else:
                found.append((node, target))
                if target not in state:
                    state[target] = 1
                    stack.append((target, iter(after[target])))
    return list(dict.fromkeys(found))


def _depths(nodes: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    """How many links the longest way to each node has; the links have no circle."""
    after: dict[str, list[str]] = {node: [] for node in nodes}
    waiting = dict.fromkeys(nodes, 0)
    for source, target in links:
        after[source].append(target)
        waiting[target] += 1
    depth = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not waiting[node]]
    while ready:
        node = ready.pop()
        for target in after[node]:
            depth[target] = max(depth[target], depth[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return depth
