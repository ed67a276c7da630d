"""The lists of callables: what they say, and that nothing but they says it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import pytest

from tidegate.scanners.callables import (
    Standing,
    Use,
    allowed_callables,
    is_known_module,
    judge,
    python3_name,
)

FOLDER = files("tidegate.scanners").joinpath("data/callables")
LISTS = sorted(
    entry.name for entry in FOLDER.joinpath("allowed").iterdir() if entry.name.endswith(".json")
)


def table(name: str) -> dict:
    return json.loads(FOLDER.joinpath(name).read_text("utf-8"))


@pytest.mark.parametrize("name", LISTS)
def test_every_list_says_what_it_is_and_why(name: str) -> None:
    found = table(f"allowed/{name}")
    assert found["schema"] == 1
    assert found["library"]
    assert found["versions"]
    assert found["how"]
    for row in found["callables"]:
        assert row["reason"]
        assert row["use"] in {use.label for use in Use}
        assert row["names"] == sorted(set(row["names"]))


def test_nothing_allowed_is_dangerous_too() -> None:
    danger = table("dangerous.json")
    exact = {
        (module, name)
        for group in danger["groups"]
        for module, names in group.get("callables", {}).items()
        for name in names
    }
    assert not exact & set(allowed_callables())
    whole = {module for group in danger["groups"] for module in group.get("modules", ())}
    for module, _ in allowed_callables():
        parts = module.split(".")
        assert not {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & whole


def test_every_dangerous_group_has_its_reason_and_reach() -> None:
    for group in table("dangerous.json")["groups"]:
        assert group["reason"]
        assert group["reach"]
        assert group.get("modules") or group.get("callables")


def test_every_allowed_module_is_a_known_one() -> None:
    assert [module for module, _ in allowed_callables() if not is_known_module(module)] == []


@pytest.mark.parametrize(
    ("module", "name", "standing"),
    [
        ("os", "system", Standing.DANGEROUS),
        ("posix", "system", Standing.DANGEROUS),
        ("subprocess", "anything_new", Standing.DANGEROUS),
        ("numpy.f2py.crackfortran", "myeval", Standing.DANGEROUS),
        ("collections", "OrderedDict", Standing.ALLOWED),
        ("numpy.core.multiarray", "_reconstruct", Standing.ALLOWED),
        ("numpy._core.multiarray", "_reconstruct", Standing.ALLOWED),
        ("sklearn.tree._tree", "Tree", Standing.ALLOWED),
        ("torch._utils", "_rebuild_tensor_v2", Standing.ALLOWED),
        ("sklearn.tree._tree", "Bush", Standing.UNLISTED),
        ("wave", "open", Standing.UNLISTED),
        ("acme.models", "Churn", Standing.UNREVIEWED),
        ("acme.models", "Outer.Inner", Standing.UNREVIEWED),
        ("numpy", "memmap", Standing.DANGEROUS),
        ("numpy_extra", "load", Standing.UNREVIEWED),
    ],
)
def test_standings(module: str, name: str, standing: Standing) -> None:
    judgement = judge(module, name)
    assert judgement.standing is standing
    assert judgement.reason


def test_python_2_names_are_translated_as_unpicklers_do() -> None:
    assert python3_name("__builtin__", "eval") == ("builtins", "eval")
    assert python3_name("copy_reg", "_reconstructor") == ("copyreg", "_reconstructor")
    assert python3_name("acme", "Model") == ("acme", "Model")


def test_the_standard_library_of_other_versions_is_known() -> None:
    for module in [
        "distutils.spawn",
        "asyncore",
        "binhex",
        "annotationlib",
        "commands",
        "__builtin__",
    ]:
        assert is_known_module(module)


def test_judging_imports_nothing_of_what_it_judges() -> None:
    code = (
        "import sys; from tidegate.scanners.callables import judge;"
        "judged = {'numpy', 'sklearn', 'torch', 'ctypes', 'turtle', 'antigravity'};"
        "[judge(module, 'x') for module in judged]; sys.exit(bool(judged & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "module", ["", ".", "a b", "a/b", "../x", "a..b", "1a", "a\n", "a" * 501, "\u2028x"]
)
def test_names_that_are_no_identifiers_are_dangerous(module: str) -> None:
    assert judge(module, "x").standing is Standing.DANGEROUS
    assert judge("collections", module).standing is Standing.DANGEROUS
