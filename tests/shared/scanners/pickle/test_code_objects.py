"""Functions and classes that travel as byte code: read, judged by what they name, never run."""

from __future__ import annotations

import importlib.util
import pickle
import sys
import types

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from samples.pickles import (
    call,
    details,
    finding,
    gadget,
    grave,
    name,
    pickled,
    rules,
    scan,
    text,
    tuple_of,
)
from sklearn.preprocessing import FunctionTransformer

from tidegate.scanners.interface import Report, Severity

SOURCE = '''
import enum
import json
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Union

import mlflow.pyfunc
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Doubling(mlflow.pyfunc.PythonModel):
    """A model."""

    def __init__(self, factor: int = 2, names: Optional[List[str]] = None):
        self.factor = factor
        self.names = names or []

    @property
    def double(self):
        return self.factor * 2

    @staticmethod
    def clean(frame):
        return frame.fillna(0)

    @classmethod
    def default(cls, value: Union[int, str] = 1):
        return cls(value)

    def load_context(self, context):
        with open(os.path.join(context.artifacts["settings"], "x.json")) as stream:
            self.settings = json.load(stream)

    def predict(self, context, model_input: pd.DataFrame, params: Optional[Dict[str, Any]] = None):
        return model_input.apply(lambda column: column * self.factor).sum(axis=1)


class Centering(BaseEstimator, TransformerMixin):
    def __init__(self, with_mean=True):
        self.with_mean = with_mean

    def fit(self, X, y=None):
        self.mean_ = np.mean(X, axis=0)
        return self

    def transform(self, X):
        return X - self.mean_


class Colour(enum.Enum):
    RED = 1


@dataclass
class Settings:
    depth: int = 1
    names: list = None


def plain(x: list[int], y: int | None = None):
    """Says nothing of a subprocess, nor of what it would do with one, nor why."""
    return [Colour.RED, Settings(x), y]


def in_torch(model, x):
    model.eval()
    return model(x).detach().numpy()


class Restored:
    def __setstate__(self, state):
        self.__dict__.update(state)
'''

GRAVE = {
    "an import of os": "def f(x):\n import os\n return os.system('echo tidegate-test')",
    "an alias": "def f(x):\n from os import system as harmless\n harmless('echo x')",
    "a module under another name": "import os as numpy\ndef f(x): return numpy.popen('echo x')",
    "a function under another name": "from os import popen as mean\ndef f(x): return mean('x')",
    "subprocess": "import subprocess as s\ndef f(x): return s.run(['echo'])",
    "__import__": "def f(x): return __import__('o' + x)",
    "eval": "def f(x): return eval(x)",
    "compile": "def f(x): return compile(x, '', 'exec')",
    "a nested function": "def f(x):\n def g(): return exec(x)\n return g",
    "a default": "import os\ndef f(x, y=os.system): return y(x)",
    "a closure": "import os\ndef m():\n h = os.system\n def f(x): return h(x)\n return f\nf = m()",
    "subclasses": "def f(x): return ().__class__.__base__.__subclasses__()",
    "globals of a function": "def f(x): return x.__init__.__globals__",
    "builtins": "def f(x): return x.__builtins__",
    "getattr by a telling name": "def f(x): return getattr(x, 'system')('echo')",
    "getattr on os": "import os\ndef f(x): return getattr(os, 'sys' + x)('echo')",
    "a file that is written": "def f(x):\n with open('/tmp/x', 'w') as s: s.write('x')",
    "a file that is appended to": "def f(x):\n open(x, mode='a').write('x')",
    "a path that is written": "import pathlib\ndef f(x): pathlib.Path(x).write_text('x')",
    "a file that is removed": "import os\ndef f(x): os.remove(x)",
    "the network": "import socket\ndef f(x): return socket.socket()",
    "requests": "def f(x):\n import requests\n return requests.post('http://localhost', data=x)",
    "urllib": "from urllib.request import urlopen\ndef f(x): return urlopen(x)",
    "pandas over the network": "import pandas\ndef f(x): return pandas.read_csv('https://a/b')",
    "pickle from bytes": "import pickle\ndef f(x): return pickle.loads(x)",
    "marshal": "import marshal\ndef f(x): return marshal.loads(x)",
    "ctypes": "import ctypes\ndef f(x): return ctypes.CDLL(None)",
    "numpy's ctypeslib": "import numpy\ndef f(x): return numpy.ctypeslib.load_library('a', 'b')",
    "torch's hub": "import torch\ndef f(x): return torch.hub.load('a/b', 'c')",
    "importlib": "import importlib\ndef f(x): return importlib.import_module(x)",
    "a text for pandas to evaluate": "def f(x): return x.query('@__builtins__.y')",
    "a module that nobody lists": "def f(x):\n import imaplib\n return imaplib",
    "a module through another": "import pandas\ndef f(x): pandas.io.common.os.remove(x)",
    "a module's private alias": "import random\ndef f(x): random._os.remove(x)",
    "another one": "import collections\ndef f(x): return collections._sys",
    "a computed attribute": "import numpy\ndef f(x): return getattr(numpy, x)",
    "an attribute put together": "import numpy\ndef f(x): return getattr(numpy, ''.join('os'))",
    "an attribute backwards": "def f(x): return getattr(x, 'metsys'[::-1])('id')",
    "an entry point": "import importlib.metadata as m\ndef f(x): return m.EntryPoint(*x).load()",
    "a mode before the call": "def f(x):\n m = 'wb'\n return open(x, m)",
    "a file outside the model": "import torch\ndef f(x): return torch.load('/tmp/x')",
    "f2py": "import numpy\ndef f(x): numpy.f2py.compile(x)",
    "builtins as a module": "import builtins\ndef f(x): return builtins.open(x)",
    "the import path": "import sys\ndef f(x): sys.path.insert(0, x)",
    "a table that is written": "def f(x): x.to_csv('/etc/cron.d/x')",
    "an array that is written": "import numpy as np\ndef f(x): np.save('../x.npy', x)",
    "remote code": "def f(x): return x.from_pretrained('a', trust_remote_code=True)",
    "a download": "def f(x): return x.snapshot_download('a')",
    "a module that nobody knows": "def f(x):\n import somebodys as s\n return s.g(x)",
    "frames": "import sys\ndef f(x): return sys._getframe().f_back",
    "modules": "import sys\ndef f(x): return sys.modules['o' + 's']",
}


@pytest.fixture(scope="module")
def notebook() -> types.ModuleType:
    """A module that can't be imported, as a notebook's is: cloudpickle takes all of it along."""
    return executed(SOURCE)


def executed(source: str) -> types.ModuleType:
    module = types.ModuleType("__main__")
    # The definitions are run, none of the functions: the pickles are never loaded.
    exec(compile(source, "notebook", "exec"), module.__dict__)
    return module


def by_value(value: object) -> bytes:
    """What cloudpickle writes where the module is none that the loader could import."""
    main = sys.modules["__main__"]
    try:
        sys.modules["__main__"] = types.ModuleType("__main__")
        return cloudpickle.dumps(value)
    finally:
        sys.modules["__main__"] = main


def assert_passes(report: Report) -> None:
    assert not [f for f in report.findings if f.severity >= Severity.HIGH], report.findings
    assert not report.unread_parts


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 1,
        lambda x: np.log1p(x) * pd.Series([1]).sum(),
        lambda frame: frame.fillna(0).rename(columns={"a": "b"}),
        lambda x: x in {1, 2, 3} or [y for y in x if y > 1.5],
    ],
    ids=range(4),
)
def test_a_harmless_function_passes_with_a_finding(function: object) -> None:
    for value in (function, FunctionTransformer(function), [{"f": function}]):
        report = scan(cloudpickle.dumps(value))
        assert_passes(report)
        assert finding(report, "PICKLE-CODE-PLAIN").severity is Severity.MEDIUM


@pytest.mark.parametrize(
    "made",
    [
        lambda module: module.Doubling(3),
        lambda module: module.Doubling,
        lambda module: module.Doubling(3).predict,
        lambda module: module.Centering().fit(np.eye(3)),
        lambda module: module.Colour.RED,
        lambda module: module.Settings(2),
        lambda module: module.plain,
        lambda module: module.in_torch,
    ],
    ids=range(8),
)
def test_an_honest_class_of_a_notebook_passes(notebook, made) -> None:
    report = scan(by_value(made(notebook)))
    assert_passes(report)
    assert report.findings


def test_a_long_function_with_many_names_passes() -> None:
    lines = [f" a{n} = x.column{n} + np.mean(x) + {n}.5" for n in range(400)]
    function = executed("import numpy as np\ndef f(x):\n" + "\n".join(lines)).f
    assert_passes(scan(by_value(function)))
    function = executed("import os\ndef f(x):\n" + "\n".join(lines) + "\n os.abort()").f
    assert "PICKLE-CODE-OBJECT" in rules(scan(by_value(function)))


@pytest.mark.parametrize("source", GRAVE.values(), ids=GRAVE.keys())
def test_code_that_reaches_for_more_is_held(source: str) -> None:
    function = executed(source).f
    for value in (function, FunctionTransformer(function)):
        report = scan(by_value(value))
        assert max(f.severity for f in report.findings) >= Severity.HIGH, report.findings


def test_a_finding_names_the_function_and_what_it_reaches() -> None:
    function = executed(GRAVE["an import of os"]).f
    found = {f.detail for f in scan(by_value(function)).findings}
    assert "f: os.system" in found


class Calling:
    def __init__(self, function: object) -> None:
        self.function = function

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.function, (1,)  # type: ignore[return-value]


def test_calling_a_function_while_loading_is_critical_however_harmless_it_is() -> None:
    report = scan(by_value(Calling(lambda x: x + 1)))
    assert finding(report, "PICKLE-CODE-CALLED").severity is Severity.CRITICAL


def test_a_method_that_loading_runs_is_critical(notebook) -> None:
    value = notebook.Restored()
    value.a = 1
    assert "PICKLE-CODE-CALLED" in rules(scan(by_value(value)))
    assert "PICKLE-CODE-CALLED" not in rules(scan(by_value(notebook.Restored)))


def test_a_hook_of_a_base_class_is_seen(notebook) -> None:
    notebook.__dict__["Base"] = notebook.Restored
    derived = types.new_class("Derived", (notebook.Restored,))
    derived.__module__ = "__main__"
    value = derived()
    value.a = 1
    assert "PICKLE-CODE-CALLED" in rules(scan(by_value(value)))


def test_the_state_of_a_function_that_is_not_the_pickle_s_own_is_held() -> None:
    data = pickled(
        call(
            name("cloudpickle.cloudpickle", "_function_setstate"),
            name("collections", "OrderedDict"),
            tuple_of(b"}", b"}"),
        )
    )
    assert "PICKLE-CODE-OBJECT" in rules(scan(data))


def test_the_members_of_a_class_that_is_not_the_pickle_s_own_are_held() -> None:
    data = pickled(
        call(
            name("cloudpickle.cloudpickle", "_class_setstate"),
            name("numpy", "ndarray"),
            tuple_of(b"}" + text("__reduce__") + b"Ns", b"}"),
        )
    )
    assert "PICKLE-CODE-OBJECT" in rules(scan(data))


def code_bytes(raw: bytes, arguments: int = 18) -> bytes:
    """A function whose instructions are `raw`, with one constant and one name."""
    from samples.pickles import data as constant

    numbers = b"K\0K\0K\0K\0K\1K\0"
    middle = text("f.py") + text("f") + (text("f") if arguments == 18 else b"") + b"K\1"
    lines = constant(b"") + (constant(b"") if arguments == 18 else b"")
    code = call(
        call(name("cloudpickle.cloudpickle", "_builtin_type"), text("CodeType")),
        numbers + constant(raw) + tuple_of(b"N") + tuple_of(text("a")) + b")" + middle + lines,
        b"))",
    )
    function = call(name("cloudpickle.cloudpickle", "_make_function"), code, b"}", text("f"), b"N")
    return pickled(function)


def test_byte_code_of_other_versions_is_read_by_tables() -> None:
    for resume, const, ret in ((151, 100, 83), (149, 83, 36), (128, 82, 35)):
        assert_passes(scan(code_bytes(bytes([resume, 0, const, 0, ret, 0]))))
    assert_passes(scan(code_bytes(bytes([100, 0, 83, 0]), arguments=16)))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x97",
        bytes([151, 0, 100, 1, 83, 0]),  # a constant past the end of the table
        bytes([151, 0, 116, 2, 83, 0]),  # a name past the end
        bytes([151, 0, 124, 0, 83, 0]),  # a local variable of a function that has none
        bytes([151, 0, 144, 1, 100, 0, 83, 0]),  # the same by a longer argument
        bytes([9, 0, 151, 0, 100, 0, 83, 0]),  # no compiler begins so
        bytes([83, 0]),
    ],
)
def test_byte_code_that_no_compiler_writes_is_held(raw: bytes) -> None:
    report = scan(code_bytes(raw))
    assert finding(report, "PICKLE-CODE-OBJECT").severity is Severity.HIGH


def test_a_function_of_computed_code_is_held() -> None:
    data = pickled(
        call(
            name("cloudpickle.cloudpickle", "_make_function"),
            call(name("collections", "OrderedDict")),
            b"}",
        )
    )
    assert "PICKLE-CODE-OBJECT" in rules(scan(data))


@pytest.mark.skipif(importlib.util.find_spec("dill") is None, reason="dill is not installed")
def test_a_grave_function_pickled_by_dill_is_held() -> None:
    import dill

    function = executed(GRAVE["eval"]).f
    report = scan(dill.dumps(function, recurse=True))
    assert max(f.severity for f in report.findings) >= Severity.HIGH


@pytest.mark.parametrize(
    ("module", "called"),
    [
        ("types", "CodeType"),
        ("types", "FunctionType"),
        ("cloudpickle.cloudpickle", "_make_function"),
        ("cloudpickle.cloudpickle", "_fill_function"),
        ("dill._dill", "_create_type"),
        ("new", "code"),
        ("joblib.externals.cloudpickle.cloudpickle", "_make_skeleton_class"),
    ],
)
def test_what_rebuilds_byte_code_of_anything_else_is_held(module: str, called: str) -> None:
    found = finding(scan(gadget(module, called)), "PICKLE-CODE-OBJECT")
    assert found.severity is Severity.HIGH


def test_a_dangerous_module_among_the_globals_is_held() -> None:
    data = gadget("cloudpickle.cloudpickle", "subimport", text("subprocess"))
    assert details(scan(data), "PICKLE-CODE-OBJECT") == {"subprocess"}
    data = gadget("cloudpickle.cloudpickle", "subimport", text("somebodys.module"))
    assert details(scan(data), "PICKLE-UNREVIEWED-CODE") == {"somebodys.module"}
    assert not grave(scan(gadget("cloudpickle.cloudpickle", "subimport", text("numpy"))))


def test_the_type_of_nothing_is_plain_and_of_anything_else_is_not() -> None:
    assert not grave(scan(pickle.dumps([type(None), type(...)])))
    assert grave(scan(gadget("builtins", "type", text("A"), b")", b"}")))


def test_marshalled_code_is_critical() -> None:
    assert "PICKLE-EXEC" in rules(scan(gadget("marshal", "loads")))


def test_code_that_reads_accounts_or_keys_is_held() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    scope: dict[str, object] = {"__name__": "__main__"}
    exec("def read(x):\n    return open('/etc/passwd').read()\n", scope)
    assert rules(scan(cloudpickle.dumps(scope["read"]))) & {"PICKLE-CODE-OBJECT"}
