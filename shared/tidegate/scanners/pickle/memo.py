"""The unpickler's memo, bounded.

Always holds: what is recalled is what was memoized under that index, or `FORGOTTEN`; never a
stale or a guessed value. Forgetting is fail-closed: a forgotten name or callable counts as
hidden (PICKLE-INDIRECT).
"""

from __future__ import annotations

from tidegate.scanners.pickle.values import FORGOTTEN, Call, Items, Value

TEXT_BUDGET = 96 << 20
OBJECT_BUDGET = 48 << 20
MAX_ENTRIES = 8_000_000
MAX_SCATTERED = 500_000


class Memo:
    """Values by index. Indexes that come in order, as picklers write them, cost one slot each.

    With `parent`, what is not set here is recalled from there: a second reading of the same
    bytes sees the first one's memo without a copy of it.
    """

    __slots__ = ("_dense", "_objects", "_parent", "_scattered", "_text", "full", "lost")

    def __init__(self, parent: Memo | None = None) -> None:
        self._dense: list[Value] = []
        self._scattered: dict[int, Value] = {}
        self._parent = parent
        self._text = self._objects = 0
        self.full = False
        self.lost = False

    def __len__(self) -> int:
        """How many indexes are set; MEMOIZE takes this number as its index."""
        own = len(self._dense) + len(self._scattered)
        return own + len(self._parent) if self._parent is not None else own

    def put(self, index: int, value: Value) -> None:
        """Set `index`."""
        kept = self._within_budget(value)
        if index < len(self._dense):
            self._dense[index] = kept
        elif index == len(self._dense) and len(self._dense) < MAX_ENTRIES:
            self._dense.append(kept)
            self._scattered.pop(index, None)
        elif index in self._scattered or len(self._scattered) < MAX_SCATTERED:
            self._scattered[index] = kept
        else:
            self.full = True

    def put_somewhere(self) -> None:
        """Set an index whose number is too long to be read: it may be any, so all are lost."""
        self.lost = True

    def text(self, index: int) -> str | None:
        """The value at `index`, where that is a text set in order; None in any other case."""
        if index < len(self._dense) and not self.lost and not self._scattered:
            value = self._dense[index]
            return value if type(value) is str else None
        return None

    def get(self, index: int) -> Value:
        """The value at `index`; KeyError where the loader would find nothing."""
        if index < 0:
            raise KeyError(index)
        if self.lost:
            return FORGOTTEN
        if index in self._scattered:
            return self._scattered[index]
        if index < len(self._dense):
            return self._dense[index]
        if self.full:
            return FORGOTTEN
        if self._parent is not None:
            return self._parent.get(index)
        raise KeyError(index)

    def _within_budget(self, value: Value) -> Value:
        if isinstance(value, str | bytes):
            self._text += (
                len(value) * (1 if isinstance(value, bytes) or value.isascii() else 4) + 60
            )
            return value if self._text <= TEXT_BUDGET else FORGOTTEN
        if isinstance(value, Items):
            self._objects += 160 + 8 * len(value.kept)
            return value if self._objects <= OBJECT_BUDGET else FORGOTTEN
        if isinstance(value, Call):
            self._objects += 200
            return value if self._objects <= OBJECT_BUDGET else FORGOTTEN
        return value
