"""YAML as a tree of texts, strict enough that two readers can't see different things in it.

Always holds: no tag is resolved and no object built; an alias is the same node again, never a
copy, so nothing multiplies; reading is iterative. Refused are tags, keys that stand twice, merge
keys and aliases to a node that is still open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tidegate.scanners.streams import shown

if TYPE_CHECKING:
    import yaml

MAX_TREE = 2 << 20
_MAX_NODES = 200_000
_MAX_DEPTH = 100


class TreeError(Exception):
    """The text is no YAML of this strict kind; the message says why."""


@dataclass(slots=True, eq=False)
class Scalar:
    """A text; `plain` where it stands without quotes, and so may mean a number or nothing."""

    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether a YAML reader takes it for nothing."""
        return self.plain and self.text in {"", "~", "null", "Null", "NULL"}

    @property
    def is_false(self) -> bool:
        """Whether a YAML reader takes it for false."""
        return self.plain and self.text.lower() in {"false", "no", "off"}


@dataclass(slots=True, eq=False)
class Sequence:
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys are texts; a key that is none is refused."""

    items: dict[str, Node] = field(default_factory=dict)

    def get(self, key: str) -> Node | None:
        """The value under the key."""
        return self.items.get(key)

    def text(self, key: str) -> str | None:
        """The value under the key where it is a text, and not null."""
        value = self.items.get(key)
        return value.text if isinstance(value, Scalar) and not value.is_null else None


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class _Open:
    node: Sequence | Mapping
    anchor: str | None
    key: str | None = None


def read_tree(text: str, *, aliases: bool = True) -> Node:
    """The only document of the text. Raises TreeError for anything out of the ordinary.

    Without `aliases`, an anchor or alias is out of the ordinary too.
    """
    import yaml

    if len(text) > MAX_TREE:
        raise TreeError(f"it is larger than {MAX_TREE >> 20} MiB")
    try:
        return _Builder(aliases=aliases).build(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or type(error).__name__
        raise TreeError(f"it is no YAML: {shown(str(problem))}") from None
    except (ValueError, RecursionError) as error:
        raise TreeError(f"it is no YAML: {type(error).__name__}") from None


class _Builder:
    """Builds the tree from the parser's events."""

    def __init__(self, *, aliases: bool) -> None:
        self._aliases = aliases
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._count = 0

    def build(self, events: Iterator[yaml.Event]) -> Node:
        import yaml

        documents = 0
        for event in events:
            if not self._aliases and getattr(event, "anchor", None) is not None:
                raise TreeError("it has an anchor or an alias")
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise TreeError("it holds several documents")
            elif isinstance(event, yaml.AliasEvent):
                self._place(self._anchored(event.anchor))
            elif isinstance(event, yaml.ScalarEvent):
                self._refuse_tag(event.tag)
                node = Scalar(event.value, plain=event.style is None)
                self._place(node, event.anchor)
            elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                self._refuse_tag(event.tag)
                if len(self._open) >= _MAX_DEPTH:
                    raise TreeError("it nests too deep")
                if isinstance(event, yaml.SequenceStartEvent):
                    self._open.append(_Open(Sequence(), event.anchor))
                else:
                    self._open.append(_Open(Mapping(), event.anchor))
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                closed = self._open.pop()
                self._place(closed.node, closed.anchor)
        if self._root is None:
            raise TreeError("it is empty")
        return self._root

    @staticmethod
    def _refuse_tag(tag: str | None) -> None:
        if tag is not None and tag != "!":
            raise TreeError("it carries a tag")

    def _anchored(self, anchor: str | None) -> Node:
        if anchor is None or anchor not in self._anchors:
            raise TreeError("an alias refers to nothing, or to what it stands in")
        return self._anchors[anchor]

    def _place(self, node: Node, anchor: str | None = None) -> None:
        self._count += 1
        if self._count > _MAX_NODES:
            raise TreeError("it has too many nodes")
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        top = self._open[-1]
        if isinstance(top.node, Sequence):
            top.node.items.append(node)
        elif top.key is None:
            if not isinstance(node, Scalar):
                raise TreeError("a key is no text")
            if node.text == "<<" or node.text in top.node.items:
                raise TreeError(f"the key {shown(node.text, 40)} stands twice, or merges another")
            top.key = node.text
        else:
            top.node.items[top.key] = node
            top.key = None


def walk(root: Node) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """Every scalar of the tree with the keys that lead to it.

    A shared node is visited under each chain of keys that leads to it. Raises TreeError where
    these are too many.
    """
    seen: set[tuple[tuple[str, ...], int]] = set()
    pending: list[tuple[tuple[str, ...], Node]] = [((), root)]
    while pending:
        keys, node = pending.pop()
        if isinstance(node, Scalar):
            yield keys, node
            continue
        if (keys, id(node)) in seen:
            continue
        seen.add((keys, id(node)))
        if len(seen) > _MAX_NODES:
            raise TreeError("its aliases unfold to too many nodes")
        if isinstance(node, Mapping):
            inner = [((*keys, key), value) for key, value in node.items.items()]
        else:
            inner = [(keys, value) for value in node.items]
        pending.extend(reversed(inner))
