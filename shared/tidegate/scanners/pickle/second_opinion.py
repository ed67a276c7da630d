"""picklescan's opinion beside ours.

picklescan reads the same bytes with its own parser and its own list. It is asked only where our
own reading found nothing, and heard only where it calls a global dangerous. Its errors and its
silence mean nothing: the verdict is ours.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tidegate.scanners.callables import python3_name

MAX_BYTES = 64 << 20
MAX_STEPS = 1_000_000
"""picklescan keeps every opcode in memory; past this many it is not asked."""


def dangerous_globals(stream: BinaryIO, size: int, steps: int) -> tuple[str, ...]:
    """The globals that picklescan calls dangerous, as Python 3 names them, sorted.

    Empty where picklescan was not asked.
    """
    if size > MAX_BYTES or steps > MAX_STEPS:
        return ()
    stream.seek(0)
    data = stream.read(size)
    with _silenced():
        try:
            from picklescan.scanner import SafetyLevel, scan_pickle_bytes

            result = scan_pickle_bytes(io.BytesIO(data), "subject")
        except Exception:  # noqa: BLE001 - another program's parser may fail in any way it likes
            return ()
    dangerous = (one for one in result.globals if one.safety is SafetyLevel.Dangerous)
    return tuple(sorted({".".join(python3_name(one.module, one.name)) for one in dangerous}))


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep picklescan from logging: a worker's output is for its report alone."""
    logger = logging.getLogger("picklescan")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
