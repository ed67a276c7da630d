"""The graph as an SVG picture: boxes in layers from left to right, and curves between them.

It holds shapes and texts only: no script, style sheet, link, font or picture from elsewhere. Names
are escaped for XML, and characters that XML does not allow or that turn the direction of a text are
written out first.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from tidegate.ledger.lineage_graph import Graph, Node
from tidegate.ledger.lineage_links import BY_CONTENT, Link
from tidegate.policy.explain import printable
from tidegate.reports.lineage.layers import layered
from tidegate.reports.lineage.wording import details, title

_WIDTH, _HEIGHT = 216, 46
_ACROSS, _DOWN = 96, 22
_MARGIN = 24
_LONGEST_TITLE, _LONGEST_DETAILS = 28, 38

_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" role="img" font-family="sans-serif">
<title>Lineage</title>
<rect width="{width}" height="{height}" fill="#ffffff"/>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0 0 8 4 0 8z" fill="#777777"/></marker></defs>"""

Place = tuple[int, int]


def as_svg(graph: Graph) -> str:
    """A whole SVG document."""
    links = [(link.source, link.target) for link in graph.links]
    layers = layered([node.id for node in graph.nodes], links)
    tallest = max((len(layer) for layer in layers), default=0)
    places: dict[str, Place] = {}
    for column, layer in enumerate(layers):
        offset = (tallest - len(layer)) * (_HEIGHT + _DOWN) // 2
        for row, node in enumerate(layer):
            places[node] = (
                _MARGIN + column * (_WIDTH + _ACROSS),
                _MARGIN + offset + row * (_HEIGHT + _DOWN),
            )
    width = 2 * _MARGIN + max(len(layers), 1) * (_WIDTH + _ACROSS) - _ACROSS
    height = 2 * _MARGIN + max(tallest, 1) * (_HEIGHT + _DOWN)
    parts = [
        _HEAD.format(width=width, height=height),
        *(_link(link, places) for link in graph.links),
        *(_node(node, places[node.id], node.id in graph.focus) for node in graph.nodes),
    ]
    if not graph.complete:
        parts.append(
            f'<text x="{_MARGIN}" y="{height - 6}" font-size="12" fill="#b3261e">'
            "There is more than is shown.</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _node(node: Node, place: Place, is_focus: bool) -> str:
    x, y = place
    is_held = node.outcome not in {None, "allow"}
    fill = "#e8eef7" if node.kind == "step" else "#fbe9e7" if is_held else "#ffffff"
    stroke = "#4a6fa5" if node.kind == "step" else "#b3261e" if is_held else "#777777"
    dash = ' stroke-dasharray="5 3"' if node.kind == "claim" else ""
    round_ = 3 if node.kind == "step" else 14
    whole = " ".join([title(node), details(node), node.id, *map(printable, node.versions)])
    return (
        f"<g><title>{escape(whole)}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{round_}" fill="{fill}" '
        f'stroke="{stroke}" stroke-width="{3 if is_focus else 1}"{dash}/>'
        f"{_text(x + 12, y + 19, 13, title(node), _LONGEST_TITLE)}"
        f"{_text(x + 12, y + 36, 10, details(node), _LONGEST_DETAILS)}</g>"
    )


def _link(link: Link, places: dict[str, Place]) -> str:
    (x1, y1), (x2, y2) = places[link.source], places[link.target]
    x1, y1, y2 = x1 + _WIDTH, y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    bend = max(_ACROSS // 2, abs(x2 - x1) // 3)
    dash = ' stroke-dasharray="4 3"' if link.role in BY_CONTENT else ""
    return (
        f'<path d="M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}" fill="none" '
        f'stroke="#777777"{dash} marker-end="url(#arrow)"><title>{escape(printable(link.role))}'
        f"</title></path>"
        f"{_text((x1 + x2) // 2 - 24, (y1 + y2) // 2 - 4, 9, link.role, 18)}"
    )


def _text(x: int, y: int, size: int, text: str, longest: int) -> str:
    shown = printable(text)
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    return f'<text x={quoteattr(str(x))} y="{y}" font-size="{size}">{escape(shown)}</text>'
