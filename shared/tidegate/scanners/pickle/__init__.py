"""Reading pickles without loading them.

A pickle is a program for a small stack machine. This package decodes it (`opcodes`), runs it
symbolically (`machine`: the stack holds descriptions, never objects), judges everything that it
would import or call (`tidegate.scanners.callables`) and reports what is not known to be
harmless (`findings`, `scanner`). It goes on where a loader would stop: behind broken opcodes
(`sweep`), into further streams (`streams`), into strings that are pickles (`nested`), across
the raw arrays that joblib puts between opcodes (`arrays`).

Always holds: no byte of a pickle is loaded, nothing that it names is imported, memory does not
grow with the size of its arrays, and no input raises.
"""

from __future__ import annotations

from tidegate.scanners.pickle.scanner import PickleScanner

__all__ = ["PickleScanner"]
