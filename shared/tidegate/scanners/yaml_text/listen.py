"""YAML told to a listener as JSON would be: each object when it closes, each text as it comes.

Always holds: one pass over the parser's events, no tag resolved, no object built; an alias of a
scalar stands for its text, any other for nothing, since what it refers to was told already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.scanners.json_stream import Listener, Pairs

if TYPE_CHECKING:
    import yaml

_MAX_PAIRS = 8192
_KEPT_ITEMS = 64
_KEPT_TEXT = 4096
_MAX_ANCHORS = 10_000
_MAX_DEPTH = 2000
_WORDS = {
    "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False,
    "": None, "~": None, "null": None, "0": 0,
}  # fmt: skip


class _Frame:
    __slots__ = ("complete", "is_object", "items", "key", "pairs")

    def __init__(self, *, is_object: bool) -> None:
        self.is_object = is_object
        self.key: str | None = None
        self.pairs: Pairs = []
        self.items: list[Any] = []
        self.complete = True


class YamlTeller:
    """Takes the parser's events one by one and tells the listener."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._frames: list[_Frame] = []
        self._scalars: dict[str, str] = {}
        self.too_deep = False

    def take(self, event: yaml.Event) -> None:
        """One event, in order."""
        import yaml

        if isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None and len(self._scalars) < _MAX_ANCHORS:
                self._scalars[event.anchor] = event.value
            self._scalar(event.value, plain=event.style is None)
        elif isinstance(event, yaml.AliasEvent):
            text = self._scalars.get(event.anchor or "")
            if text is None:
                self._value(None)
            else:
                self._scalar(text, plain=False)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self._frames) >= _MAX_DEPTH:
                self.too_deep = True
            self._frames.append(_Frame(is_object=isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            frame = self._frames.pop()
            if frame.is_object:
                told = self._listener.object(frame.pairs, frame.complete)
                self._value(bool(frame.pairs) if told is None else told)
            else:
                self._value(frame.items)

    def _keys(self) -> tuple[str, ...]:
        return tuple(frame.key for frame in self._frames if frame.key is not None)

    def _scalar(self, text: str, *, plain: bool) -> None:
        frame = self._frames[-1] if self._frames else None
        if frame is not None and frame.is_object and frame.key is None:
            frame.key = text[:_KEPT_TEXT]
            return
        if plain and text.lower() in _WORDS:
            self._value(_WORDS[text.lower()])
            return
        self._listener.text(text, self._keys)
        self._value(text[:_KEPT_TEXT])

    def _value(self, value: Any) -> None:
        if not self._frames:
            return
        frame = self._frames[-1]
        if not frame.is_object:
            if len(frame.items) < _KEPT_ITEMS:
                frame.items.append(value)
        elif (key := frame.key) is None:
            # A key that is no text.
            frame.key = "?"
        else:
            frame.key = None
            if len(frame.pairs) < _MAX_PAIRS or key in self._listener.watched:
                frame.pairs.append((key, value))
            else:
                frame.complete = False
