"""A model whose own code comes along, read: let pass where the source is harmless, else held."""

from __future__ import annotations

import pickle
import py_compile
import sys
import types
from pathlib import Path

import pytest
from samples.pickles import gadget, name, pickled, text

from tidegate.artifact.manifest import read_manifest
from tidegate.artifact.source import LocalSource
from tidegate.scanners.engine import scan
from tidegate.scanners.evidence import Evidence, Verdict
from tidegate.scanners.interface import Severity

CLASS = "class Model:\n    def predict(self, x):\n        return x + 1\n"
GRAVE = "import os\nos.system('echo tidegate-test')\n"
INSTANCE = pickled(name("acme.models", "Model") + b")\x81}" + text("a") + b"K\1sb")
MLMODEL = (
    "artifact_path: model\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
    "    model_path: model.pkl\n    python_version: 3.11.7\n    code: code\n"
    "model_uuid: 0123456789abcdef0123456789abcdef\nutc_time_created: '2026-01-01 00:00:00.0'\n"
)


def scanned(folder: Path, files: dict[str, str | bytes]) -> Evidence:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    source = LocalSource(folder)
    return scan(source, read_manifest(source))


def in_code_path(files: dict[str, str | bytes]) -> dict[str, str | bytes]:
    return {"MLmodel": MLMODEL, "model.pkl": INSTANCE} | {
        f"code/{path}": content for path, content in files.items()
    }


HARMLESS = {"acme/__init__.py": "", "acme/models.py": CLASS}


def test_a_class_whose_source_comes_in_a_code_path_passes(tmp_path):
    evidence = scanned(tmp_path, in_code_path(HARMLESS))
    assert evidence.verdict is Verdict.PASS, (evidence.findings, evidence.unread)
    found = {one.rule: one for one in evidence.findings}
    for rule in ("PICKLE-UNREVIEWED-CODE", "MLMODEL-CODE-PATH"):
        assert found[rule].severity is Severity.MEDIUM
        assert "was read" in found[rule].message


def test_a_class_whose_source_lies_at_the_artifact_s_root_passes(tmp_path):
    files = {"weights/model.pkl": INSTANCE, **HARMLESS}
    assert scanned(tmp_path, files).verdict is Verdict.PASS


def test_without_the_source_it_is_held(tmp_path):
    assert scanned(tmp_path, {"model.pkl": INSTANCE}).verdict is Verdict.FAIL


NAMESPACE = {"acme/models.py": CLASS}
HOSTILE = {
    "the source runs a command": {"acme/models.py": CLASS + GRAVE},
    "its package runs a command": {"acme/__init__.py": GRAVE, "acme/models.py": CLASS},
    "a module beside it runs a command": {**HARMLESS, "helper.py": GRAVE},
    "a source that can't be parsed": {**HARMLESS, "acme/other.py": "def ("},
    "compiled code beside the source": {
        **HARMLESS,
        "acme/__pycache__/models.cpython-311.pyc": b"\xa7\r\r\n" + bytes(12) + b"\xe3" + bytes(40),
    },
    "native code beside the source": {**HARMLESS, "acme/models.so": b"\x7fELF" + bytes(60)},
    "another module of that name": {**HARMLESS, "acme/models/__init__.py": CLASS},
    "a known library is shadowed": {**HARMLESS, "numpy.py": "x = 1\n"},
    "a known package is shadowed": {**HARMLESS, "sklearn/__init__.py": ""},
    "a package that an installed one would go before": NAMESPACE,
    "a name of another case": {"acme/__init__.py": "", "acme/Models.py": CLASS},
    "two names that differ in case": {**HARMLESS, "acme/Models.py": CLASS},
    "two folders that differ in case": {**HARMLESS, "Acme/x.py": ""},
    "the name is imported, not defined": {
        "acme/models.py": "from subprocess import Popen as Model"
    },
    "the name is bound twice": {"acme/models.py": CLASS + "import json as Model\n"},
    "the name is bound by a function": {
        "acme/models.py": CLASS + "def f():\n    global Model\n    Model = 1\n"
    },
    "a star import": {"acme/models.py": CLASS + "from .other import *\n", "acme/other.py": ""},
    "the name is not there": {"acme/models.py": "class Other: pass\n"},
    "a class that starts processes": {
        "acme/models.py": "import subprocess\nclass Model(subprocess.Popen): pass\n"
    },
    "its state runs a command": {
        "acme/models.py": "import os\nclass Model:\n"
        "    def __setstate__(self, state):\n        os.system(state['a'])\n"
    },
}


@pytest.mark.parametrize("files", HOSTILE.values(), ids=HOSTILE.keys())
def test_where_the_source_is_not_beyond_doubt_it_is_held(tmp_path, files):
    if files is not NAMESPACE:
        files = {"acme/__init__.py": "", **files}
    assert scanned(tmp_path, in_code_path(files)).verdict is not Verdict.PASS


def test_a_function_that_loading_calls_is_held_where_it_does_anything_of_note(tmp_path):
    called = {
        "MLmodel": MLMODEL,
        "model.pkl": gadget("acme.models", "score", text("x")),
        "code/acme/__init__.py": "",
    }
    source = "def score(x):\n    return x + 1\n"
    assert scanned(tmp_path, {**called, "code/acme/models.py": source}).verdict is Verdict.PASS
    source = "def score(x):\n    return open(x, 'w').write('y')\n"
    assert scanned(tmp_path, {**called, "code/acme/models.py": source}).verdict is Verdict.FAIL


def test_a_function_that_loading_calls_needs_a_code_path(tmp_path):
    """An installed module of the same name would go before one at the artifact's root."""
    files = {"model.pkl": gadget("acme", "score", text("x")), "acme.py": "def score(x): return x\n"}
    assert scanned(tmp_path, files).verdict is Verdict.FAIL
    named = {**files, "model.pkl": pickled(name("acme", "score"))}
    assert scanned(tmp_path, named).verdict is Verdict.PASS


def test_a_code_path_that_leads_elsewhere_vouches_for_nothing(tmp_path):
    files = in_code_path(HARMLESS)
    files["MLmodel"] = MLMODEL.replace("code: code", "code: ../code")
    assert scanned(tmp_path, files).verdict is Verdict.FAIL
    other = {"a/MLmodel": MLMODEL, "b/model.pkl": INSTANCE}
    other |= {f"a/code/{path}": content for path, content in HARMLESS.items()}
    assert scanned(tmp_path / "other", other).verdict is Verdict.FAIL


def test_a_source_inside_an_archive_vouches_for_nothing(tmp_path):
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("acme/models.py", CLASS)
    files = {"MLmodel": MLMODEL, "model.pkl": INSTANCE, "code/acme.zip": out.getvalue()}
    assert scanned(tmp_path, files).verdict is Verdict.FAIL


def test_what_mlflow_saves_with_code_paths_passes(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow.sklearn")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folder = tmp_path / "own"
    folder.mkdir()
    source = (
        "import numpy as np\nfrom sklearn.base import BaseEstimator, TransformerMixin\n\n\n"
        "class Logs(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, X, y=None):\n        return self\n\n"
        "    def transform(self, X):\n        return np.log1p(np.abs(X))\n"
    )
    (folder / "acme_steps.py").write_text(source)
    module = types.ModuleType("acme_steps")
    exec(source, module.__dict__)
    monkeypatch.setitem(sys.modules, "acme_steps", module)
    model = make_pipeline(module.Logs(), StandardScaler()).fit([[1.0], [2.0]])
    assert b"acme_steps" in pickle.dumps(model)
    saved = tmp_path / "model"
    mlflow.save_model(
        model,
        saved,
        serialization_format="pickle",
        code_paths=[str(folder / "acme_steps.py")],
        pip_requirements=["scikit-learn==1.8.0"],
    )
    evidence = scanned(saved, {})
    assert evidence.verdict is Verdict.PASS, (evidence.findings, evidence.unread)
    assert any("was read" in one.message for one in evidence.findings)


CONFIG = '{"architectures": ["Net"], "auto_map": {"AutoModel": "modeling_net.Net"}}'
NET = "from transformers import PreTrainedModel\nclass Net(PreTrainedModel):\n    base = 'net'\n"
TRITON = 'name: "m"\nbackend: "python"\nmax_batch_size: 8\n'
SERVED = "class TritonPythonModel:\n    def execute(self, requests):\n        return []\n"
BESIDE = {
    "CONFIG-REMOTE-CODE": {"config.json": CONFIG, "modeling_net.py": NET},
    "TRITON-CODE": {"m/config.pbtxt": TRITON, "m/1/model.py": SERVED},
}


@pytest.mark.parametrize("rule", BESIDE)
def test_code_beside_the_configuration_that_asks_for_it_passes_where_it_is_harmless(tmp_path, rule):
    evidence = scanned(tmp_path, BESIDE[rule])
    assert evidence.verdict is Verdict.PASS, (evidence.findings, evidence.unread)
    assert {one.rule: one for one in evidence.findings}[rule].severity is Severity.MEDIUM


@pytest.mark.parametrize("rule", BESIDE)
@pytest.mark.parametrize("more", ["grave", "missing", "compiled", "unreadable"])
def test_code_beside_a_configuration_is_held_where_it_is_not(tmp_path, rule, more):
    files = dict(BESIDE[rule])
    source = next(name for name in files if name.endswith(".py"))
    if more == "missing":
        del files[source]
    elif more == "grave":
        files[source] += GRAVE
    elif more == "compiled":
        files[source + "c"] = b"\xa7\r\r\n" + bytes(12) + b"\xe3"
    else:
        files[source] += "x = = 1\n"
    evidence = scanned(tmp_path, files)
    assert {one.rule: one for one in evidence.findings}[rule].severity is Severity.HIGH


def test_code_of_another_repository_is_held_beside_harmless_code(tmp_path):
    config = CONFIG.replace("modeling_net.Net", "someone/other--modeling_net.Net")
    evidence = scanned(tmp_path, {"config.json": config, "modeling_net.py": NET})
    assert evidence.verdict is not Verdict.PASS


TOLD = {
    "a module by its name": "import sys\nclass Model:\n    def __init__(self, s):\n"
    "        getattr(sys.modules[s], s)(s)\n",
    "step by step": "import numpy\nclass Model:\n    def __init__(self, s):\n        o = numpy\n"
    "        for p in s.split('.'):\n            o = getattr(o, p)\n        o('x')\n",
    "from the object itself": "class Model:\n    def __init__(self, s):\n"
    "        for p in s.split('.'):\n            self = getattr(self, p)\n        self('x')\n",
    "by reduce": "import functools, numpy\nclass Model:\n    def __init__(self, s):\n"
    "        functools.reduce(getattr, s.split('.'), numpy)('x')\n",
    "by attrgetter": "import numpy, operator\nclass Model:\n    def __init__(self, s):\n"
    "        operator.attrgetter(s)(numpy)('x')\n",
    "by a module's dict": "import numpy\nclass Model:\n    def __init__(self, s):\n"
    "        numpy.__dict__[s]('x')\n",
    "by vars": "import numpy\nclass Model:\n    def __init__(self, s):\n"
    "        vars(numpy)[s](s)\n",
}


@pytest.mark.parametrize("way", TOLD)
def test_a_source_that_fetches_what_it_is_told_answers_for_nothing(tmp_path, way):
    files = in_code_path({"acme/__init__.py": "", "acme/models.py": TOLD[way]})
    evidence = scanned(tmp_path, files)
    found = {one.rule: one for one in evidence.findings}
    assert found["PICKLE-UNREVIEWED-CODE"].severity is Severity.HIGH


def test_one_step_to_a_field_or_a_data_type_is_ordinary(tmp_path):
    ordinary = (
        "import torch\nclass Model:\n    def get(self, key):\n        return getattr(self, key)\n"
        "    def cast(self, x, kind):\n        return x.to(getattr(torch, 'float32'))\n"
        "    def dtype(self, config):\n        kind = getattr(torch, config.dtype)\n"
        "        return kind\n"
    )
    files = in_code_path({"acme/__init__.py": "", "acme/models.py": ordinary})
    assert scanned(tmp_path, files).verdict is Verdict.PASS


def compiled(folder: Path, source: str) -> bytes:
    """What Python writes beside a source when it imports it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.py").write_text(source)
    py_compile.compile(str(folder / "source.py"), cfile=str(folder / "c.pyc"), doraise=True)
    return (folder / "c.pyc").read_bytes()


CACHED = "acme/__pycache__/models.cpython-311.pyc"


def test_what_python_compiled_beside_a_harmless_source_passes(tmp_path):
    files = in_code_path(HARMLESS | {CACHED: compiled(tmp_path / "made", CLASS)})
    evidence = scanned(tmp_path / "model", files)
    assert evidence.verdict is Verdict.PASS, (evidence.findings, evidence.unread)
    assert {f.rule for f in evidence.findings if f.severity is Severity.MEDIUM} >= {"CODE-BYTECODE"}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (CACHED, GRAVE),
        (CACHED, "import urllib.request as u\nu.urlopen('http://host.example')\n"),
        (CACHED, "import builtins\nx = getattr(builtins, 'ev' + 'al')\nx('1')\n"),
        ("acme/models.pyc", CLASS),
        ("acme/__pycache__/elsewhere.cpython-311.pyc", CLASS),
        ("__pycache__/models.cpython-311.pyc", CLASS),
    ],
)
def test_byte_code_that_reaches_out_or_has_no_source_is_held(tmp_path, path, source):
    files = in_code_path(HARMLESS | {path: compiled(tmp_path / "made", source)})
    assert scanned(tmp_path / "model", files).verdict is Verdict.FAIL


def test_byte_code_beside_a_grave_source_is_held(tmp_path):
    made = compiled(tmp_path / "made", CLASS)
    files = in_code_path(HARMLESS | {"acme/models.py": GRAVE, CACHED: made})
    assert scanned(tmp_path / "model", files).verdict is Verdict.FAIL
