"""Requirements, project and lock files: whatever is installed from elsewhere is named."""

from __future__ import annotations

import pytest
from samples.scanned import assert_clean, grave_rules_of, scanned

HONEST = """mlflow==3.17.2
cloudpickle==3.1.2
torch==2.13.0+cpu
scikit-learn[alldeps]==1.9.1 ; python_version >= "3.10"
numpy>=1.26,<3  # a comment
pandas==3.0.0 \\
    --hash=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
-c constraints.txt
"""


def test_honest_requirements_have_no_finding():
    assert_clean(scanned(HONEST.encode(), "requirements.txt"))


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://host.example/simple",
        "-i https://host.example/simple",
        "--extra-index-url=https://host.example/simple",
        "--extra-index https://host.example/simple",
        "-f https://host.example/wheels",
        "--find-links ./wheels",
        "--trusted-host host.example",
        "-e .",
        "--editable=git+https://host.example/x",
        "https://host.example/x.whl",
        "x @ https://host.example/x.tar.gz",
        "x@git+ssh://host.example/x",
        "git+https://host.example/x#egg=x",
        "./x.whl",
        "x-1.0-py3-none-any.whl",
        "/opt/x",
        "file:x",
        "-r https://host.example/requirements.txt",
        "-r ../requirements.txt",
        "-r more.txt",
        "-c /etc/constraints.txt",
        "x==1 \\\n --index-url https://host.example",
        "# -*- coding: utf-7 -*-\n+AC0-i https://host.example",
    ],
)
def test_a_line_that_points_elsewhere_is_found(line):
    data = f"mlflow==3.17.2\n{line}\n" if not line.startswith("# -*-") else line
    assert grave_rules_of(scanned(data.encode(), "requirements.txt")) == {"REQUIREMENTS-ELSEWHERE"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", 'dependencies = ["x @ https://host.example/x.whl"]'),
        ("pyproject.toml", '[tool.uv.sources]\nx = { git = "https://host.example/x" }'),
        ("pyproject.toml", '[[tool.poetry.source]]\nname = "p"\nurl = "https://host.example/"'),
        ("pyproject.toml", '[[tool.uv.index]]\nurl = "https://host.example/simple"'),
        ("pyproject.toml", '[tool.uv.sources]\nx = { path = "../x" }'),
        ("setup.cfg", "[options]\ndependency_links = https://host.example/x"),
        ("setup.cfg", "[easy_install]\nindex_url = https://host.example/simple"),
        ("Pipfile", '[[source]]\nurl = "https://host.example/simple"'),
        ("Pipfile", '[packages]\nx = {git = "https://host.example/x.git"}'),
        ("Pipfile.lock", '{"_meta": {"sources": [{"url": "https://host.example/simple"}]}}'),
        ("poetry.lock", '[package.source]\ntype = "git"\nurl = "https://host.example/x.git"'),
        ("uv.lock", 'source = { registry = "https://host.example/simple" }'),
        ("uv.lock", 'source = { git = "https://host.example/x?rev=1" }'),
        ("pip.conf", "[global]\nindex-url = https://host.example/simple"),
    ],
)
def test_a_project_file_that_points_elsewhere_is_found(name, text):
    assert "REQUIREMENTS-ELSEWHERE" in grave_rules_of(scanned(text.encode(), name))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "pyproject.toml",
            (
                '[project]\nname = "x"\ndependencies = ["numpy>=1.26"]\n[project.urls]\n'
                'Homepage = "https://host.example/x"\n[build-system]\nrequires = ["setuptools"]\n'
            ),
        ),
        ("setup.cfg", "[metadata]\nname = x\nurl = https://host.example/x\n"),
        ("Pipfile", '[[source]]\nurl = "https://pypi.org/simple"\nverify_ssl = true\n'),
        (
            "uv.lock",
            (
                'source = { registry = "https://pypi.org/simple" }\nsdist = { url = '
                '"https://files.pythonhosted.org/packages/a/x-1.tar.gz", hash = "sha256:aa" }\n'
            ),
        ),
        ("uv.lock", 'source = { virtual = "." }\n'),
    ],
)
def test_an_honest_project_file_has_no_finding(name, text):
    assert_clean(scanned(text.encode(), name))
