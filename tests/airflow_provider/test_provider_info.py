"""What Airflow reads to find the provider: valid, true, and cheap to load."""

from __future__ import annotations

import configparser
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from packaging.utils import canonicalize_name

from tidegate_airflow.provider import get_provider_info

_ROOT = Path(__file__).resolve().parents[2]
_ROOTS = os.pathsep.join(
    str(_ROOT / root) for root in ("shared", "mlflow_plugin", "airflow_provider")
)


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(_ROOT / "setup.cfg", encoding="utf-8")
    return parser


def _run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": _ROOTS, **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_airflows_own_schema_accepts_it() -> None:
    (airflow,) = importlib.util.find_spec("airflow").submodule_search_locations[:1]
    schema = json.loads((Path(airflow) / "provider_info.schema.json").read_text("utf-8"))

    jsonschema.validate(get_provider_info(), schema)


def test_it_names_the_distribution_or_discovery_would_stop(
    setup_cfg: configparser.ConfigParser,
) -> None:
    assert get_provider_info()["package-name"] == canonicalize_name(setup_cfg["metadata"]["name"])


def test_every_module_and_class_it_names_is_there() -> None:
    info = get_provider_info()
    for kind in ("operators", "hooks"):
        for row in info[kind]:
            for module in row["python-modules"]:
                importlib.import_module(module)
    for connection in info["connection-types"]:
        module, _, name = connection["hook-class-name"].rpartition(".")
        hook = getattr(importlib.import_module(module), name)
        assert hook.conn_type == connection["connection-type"]
        assert hook.hook_name == connection["hook-name"]


def test_finding_the_provider_loads_neither_airflow_nor_the_core() -> None:
    loaded = _run(
        "import sys; from tidegate_airflow.provider import get_provider_info;"
        "get_provider_info(); print(*sys.modules)"
    ).split()

    ours = {name for name in loaded if name.startswith("tidegate")}
    assert ours == {"tidegate", "tidegate_airflow", "tidegate_airflow.provider"}
    heavy = {"airflow", "sqlalchemy", "pydantic", "yaml", "mlflow"}
    assert heavy.isdisjoint(name.partition(".")[0] for name in loaded)


def test_the_core_never_imports_airflow() -> None:
    loaded = _run(
        "import sys, tidegate.gate, tidegate.ledger, tidegate.scanners.engine; print(*sys.modules)"
    ).split()

    assert not [name for name in loaded if name.partition(".")[0] in {"airflow", "mlflow"}]


def test_airflow_finds_it_through_the_entry_point_that_is_declared(
    setup_cfg: configparser.ConfigParser, tmp_path: Path
) -> None:
    """The metadata of an installed distribution is made from setup.cfg's own entry point."""
    installed = tmp_path / "site" / "tidegate-0.0.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: tidegate\nVersion: 0.0.0\n")
    declared = setup_cfg["options.entry_points"]["apache_airflow_provider"]
    (installed / "entry_points.txt").write_text(f"[apache_airflow_provider]\n{declared.strip()}\n")

    told = _run(
        "import json\n"
        "from airflow.providers_manager import ProvidersManager\n"
        "manager = ProvidersManager()\n"
        "hook = manager.hooks['tidegate']\n"
        "print(json.dumps([hook.hook_class_name, hook.connection_testable,\n"
        "    'tidegate' in manager.providers,\n"
        "    'extra__tidegate__policy' in manager.connection_form_widgets,\n"
        "    manager.field_behaviours['tidegate']['relabeling']['host']]))",
        PYTHONPATH=os.pathsep.join([str(tmp_path / "site"), _ROOTS]),
        AIRFLOW_HOME=str(tmp_path / "home"),
    ).splitlines()[-1]

    assert json.loads(told) == [
        "tidegate_airflow.hook.TidegateHook",
        True,
        True,
        True,
        "Ledger URL or console address",
    ]
