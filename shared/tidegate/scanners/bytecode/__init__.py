"""Reading compiled Python without running it, loading it, or asking the host's interpreter.

A code object reaches a file in two ways: marshalled (a `.pyc`, `marshal.dumps`), or taken apart
into the arguments of `types.CodeType` (cloudpickle, dill). `marshal_data` reads the first,
`tidegate.scanners.pickle.code_objects` the second; both come to `CodeFacts`, which names what the
code can reach, and `judging` says what of that no model needs.

Always holds: byte code of any version of Python from 3.8 to 3.14 is read by tables, not by the
`dis` module of the interpreter that happens to run; what no compiler of these versions writes
is unreadable, and so held.
"""

from __future__ import annotations

from tidegate.scanners.bytecode.decoding import UnreadableCodeError, decode
from tidegate.scanners.bytecode.facts import CodeFacts, Concern
from tidegate.scanners.bytecode.judging import (
    concerns,
    is_model_library,
    is_risky_module,
    is_telling_attribute,
    module_concern,
)
from tidegate.scanners.bytecode.marshal_data import read_compiled, read_marshalled

__all__ = [
    "CodeFacts",
    "Concern",
    "UnreadableCodeError",
    "concerns",
    "decode",
    "is_model_library",
    "is_risky_module",
    "is_telling_attribute",
    "module_concern",
    "read_compiled",
    "read_marshalled",
]
