"""What a Python source does is found by whatever name, detour or moment it does it."""

from __future__ import annotations

import pytest
from samples.hostile_sources import DETOURS, IN_FUNCTIONS, ON_IMPORT
from samples.scanned import grave_rules_of, scanned


@pytest.mark.parametrize("name", ON_IMPORT)
def test_a_source_that_does_harm_on_import_is_held(name):
    assert grave_rules_of(scanned(ON_IMPORT[name].encode(), "module.py"))


@pytest.mark.parametrize("source", DETOURS)
def test_a_detour_is_seen_through(source):
    assert grave_rules_of(scanned(source.encode(), "module.py"))


@pytest.mark.parametrize("name", IN_FUNCTIONS)
def test_a_source_that_does_harm_when_it_is_used_is_held(name):
    file = "hubconf.py" if name == "hubconf" else "module.py"
    assert grave_rules_of(scanned(IN_FUNCTIONS[name].encode(), file))


def test_what_runs_on_import_weighs_more():
    now = scanned(b"import os\nos.system('x')", "m.py")
    later = scanned(b"import os\ndef f():\n    os.system('x')", "m.py")
    assert [f.severity.label for f in now.findings if f.rule == "CODE-PROCESS"] == ["critical"]
    assert [f.severity.label for f in later.findings if f.rule == "CODE-PROCESS"] == ["high"]


def test_a_function_that_the_import_calls_runs_on_import():
    called = b"import requests\ndef f():\n    requests.get('http://127.0.0.1')\nf()\n"
    alone = called.replace(b"\nf()\n", b"\n")
    assert "CODE-NETWORK" in grave_rules_of(scanned(called, "m.py"))
    assert "CODE-NETWORK" not in grave_rules_of(scanned(alone, "m.py"))


def test_a_finding_names_line_capability_and_moment():
    report = scanned(b"import os\n\nos.system('x')", "m.py")
    (finding,) = [f for f in report.findings if f.rule == "CODE-PROCESS"]
    assert finding.detail == "os.system"
    assert "Line 3" in finding.message
    assert "imported" in finding.message


@pytest.mark.parametrize(
    "name",
    ["code/numpy.py", "m/code/json.py", "code/sklearn/__init__.py", "code/os.py",
     "sitecustomize.py", "x/usercustomize.py"],
)  # fmt: skip
def test_a_file_in_the_place_of_a_known_module_is_held(name):
    assert grave_rules_of(scanned(b"x = 1\n", name)) == {"CODE-SHADOW"}


@pytest.mark.parametrize("name", ["code/churn/features.py", "code/my_loader.py", "numpy_like.py"])
def test_a_file_of_its_own_name_is_not(name):
    assert not grave_rules_of(scanned(b"x = 1\n", name))
