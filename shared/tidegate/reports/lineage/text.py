"""The graph as two trees for a terminal: where it came from, and what came of it.

A node that was shown already is named and not gone into again, so that a graph in which ways meet
or go in circles has an end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tidegate.ledger.lineage import STEP, Direction
from tidegate.ledger.lineage_graph import Graph, Node
from tidegate.ledger.lineage_links import PUT_INTO, SAME_CONTENT, TAKEN_FROM, Link
from tidegate.reports.lineage.wording import details, title

_HEADINGS = {
    Direction.UP: ("Where it came from:", "Nothing on record says where it came from."),
    Direction.DOWN: ("What came of it:", "Nothing on record came of it."),
}
_UP = {PUT_INTO: "holds", TAKEN_FROM: "taken from", SAME_CONTENT: "same content as"}
_DOWN = {PUT_INTO: "put into", TAKEN_FROM: "of which was taken", SAME_CONTENT: "same content as"}


def as_text(graph: Graph) -> str:
    """Lines that end in a newline and can go to a terminal as they are."""
    nodes = {node.id: node for node in graph.nodes}
    lines = [f"{title(nodes[each])} ({details(nodes[each])})" for each in graph.focus]
    for node in (nodes[each] for each in graph.focus):
        lines += [f"  {node.id}"] if node.title != node.id else []
    for direction, links in ((Direction.UP, graph.up), (Direction.DOWN, graph.down)):
        if links is None:
            continue
        heading, none = _HEADINGS[direction]
        upwards = direction is Direction.UP
        tree = [line for each in graph.focus for line in _tree(links, nodes, each, upwards)]
        lines += ["", heading, *tree] if tree else ["", none]
    if not graph.complete:
        lines += ["", "There is more than is shown: raise --limit, or lower --depth."]
    return "\n".join(lines) + "\n"


def _tree(links: Sequence[Link], nodes: dict[str, Node], root: str, upwards: bool) -> Iterator[str]:
    children: dict[str, list[tuple[str, str]]] = {}
    for link in links:
        near, far = (link.target, link.source) if upwards else (link.source, link.target)
        children.setdefault(near, []).append((_said(link, upwards), far))
    shown = {root}
    pending = _indented(children.get(root, []), "")
    while pending:
        prefix, is_last, said, node = pending.pop()
        again = node in shown
        shown.add(node)
        below = "" if not again else ", as above" if children.get(node) else ""
        branch = "└─ " if is_last else "├─ "
        named = nodes[node]
        yield f"{prefix}{branch}{said} {title(named)} ({details(named)}){below}"
        if not again:
            pending += _indented(children.get(node, []), prefix + ("   " if is_last else "│  "))


def _indented(children: list[tuple[str, str]], prefix: str) -> list[tuple[str, bool, str, str]]:
    """Children in the order in which they are taken from the end."""
    found = [(prefix, False, said, node) for said, node in dict.fromkeys(children)]
    if found:
        found[-1] = (prefix, True, *found[-1][2:])
    return found[::-1]


def _said(link: Link, upwards: bool) -> str:
    if link.role in _UP:
        return (_UP if upwards else _DOWN)[link.role]
    into_step = link.target.startswith(STEP)
    if upwards:
        return f"{link.role}:" if into_step else "made by"
    return f"{link.role} of" if into_step else f"{link.role}:"
