"""What we use of MLflow beyond its public API is there, and stands in one module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tidegate_mlflow

HOME = Path(tidegate_mlflow.__file__).parent


@pytest.mark.parametrize(
    "name",
    [
        "_is_servable_proxied_run_artifact_root",
        "_get_proxied_run_artifact_destination_path",
        "_get_workspace_scoped_repo_path_if_enabled",
        "_get_artifact_repo_mlflow_artifacts",
        "_get_model_registry_store",
    ],
)
def test_the_servers_artifact_functions_are_where_we_expect_them(name: str) -> None:
    from mlflow.server import handlers

    assert callable(getattr(handlers, name))


@pytest.mark.parametrize(
    "name",
    [
        "_get_sql_model_version",
        "create_model_version",
        "get_model_version_download_uri",
        "set_registered_model_alias",
        "transition_model_version_stage",
        "search_model_versions",
        "get_model_version",
        "get_model_version_by_alias",
        "get_latest_versions",
        "copy_model_version",
    ],
)
def test_the_stores_methods_are_where_we_override_them(name: str) -> None:
    from tidegate_mlflow import host

    assert callable(getattr(host.SqlAlchemyStore, name))
    assert issubclass(host.WorkspaceAwareSqlAlchemyStore, host.SqlAlchemyStore)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ModelsArtifactRepository", "_get_model_uri_infos"),
        ("ModelsArtifactRepository", "_add_registered_model_meta_file"),
        ("ModelsArtifactRepository", "download_artifacts"),
        ("RunsArtifactRepository", "_get_logged_model_artifact_repo"),
        ("RunsArtifactRepository", "download_artifacts"),
    ],
)
def test_the_repositories_methods_are_where_we_override_them(kind: str, name: str) -> None:
    from tidegate_mlflow import client_host

    assert callable(getattr(getattr(client_host, kind), name))


def test_every_loader_gets_its_repository_from_the_one_table() -> None:
    from mlflow.store.artifact import artifact_repository_registry

    from tidegate_mlflow import client_host

    table = client_host.repositories()
    assert table is artifact_repository_registry.get_registered_artifact_repositories()
    assert {"models", "runs", "s3", "mlflow-artifacts", "file", ""} <= table.keys()


def test_the_servers_own_repository_is_made_anew_when_it_is_none() -> None:
    import inspect

    from mlflow.server import handlers

    assert handlers._artifact_repo is None
    assert "if _artifact_repo is None" in inspect.getsource(
        handlers._get_artifact_repo_mlflow_artifacts
    )


def test_every_repository_is_made_by_the_registry_object_that_we_replace_a_method_of() -> None:
    from mlflow.store.artifact import artifact_repository_registry as home
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    from tidegate_mlflow import host

    registry = home._artifact_repository_registry
    made = []
    try:
        host.guard_repositories(lambda repository: made.append(repository) or repository)
        repository = home.get_artifact_repository("/tmp/somewhere")
        assert made == [repository]
        assert isinstance(repository, LocalArtifactRepository)
        assert host.artifact_place("/tmp/somewhere")[0] not in made
    finally:
        del registry.get_artifact_repository


def test_a_server_and_who_asks_are_told_as_we_expect() -> None:
    from mlflow.environment_variables import _MLFLOW_SGI_NAME
    from mlflow.server import ARTIFACTS_DESTINATION_ENV_VAR, auth

    from tidegate_mlflow import host

    assert _MLFLOW_SGI_NAME.name == "_MLFLOW_SGI_NAME"
    assert ARTIFACTS_DESTINATION_ENV_VAR == host.ARTIFACTS_DESTINATION_ENV_VAR
    assert callable(auth.create_app)
    assert callable(auth.store.get_user)
    assert callable(auth._find_validator)
    assert callable(auth._get_registered_model_permission)
    assert host.flask_app().name == "mlflow.server"
    assert host.route("/tidegate") == "/tidegate"
    assert host.DELETED_STAGE == "Deleted_Internal"


@pytest.mark.parametrize("app", ["tidegate", "tidegate-auth"])
def test_the_apps_are_declared_where_mlflow_looks_for_them(app: str) -> None:
    from mlflow.server import _find_app, _is_factory

    assert _is_factory(_find_app(app))


def test_prompts_are_still_told_by_their_placeholders() -> None:
    from tidegate_mlflow import host

    assert "dummy-source" in host.PROMPT_SOURCES
    assert host.PROMPT_TAG == "mlflow.prompt.is_prompt"


def test_no_other_module_imports_private_names_of_mlflow() -> None:
    found = []
    for path in HOME.glob("*.py"):
        if path.name == "host.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlflow"):
                private = [a.name for a in node.names if a.name.startswith("_")]
                if private or ".server" in (node.module or "") or "._" in (node.module or ""):
                    found.append((path.name, node.module, private))
    assert found == []


def test_loading_the_plugin_loads_no_mlflow() -> None:
    import subprocess
    import sys

    code = "import sys, tidegate_mlflow.plugin; print([m for m in sys.modules if m == 'mlflow'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mysql", "mssql"])
def test_each_form_of_a_driver_is_declared(database: str) -> None:
    from importlib.metadata import entry_points

    declared = {point.name for point in entry_points(group="mlflow.model_registry_store")}
    assert f"tidegate+{database}" in declared
    assert any(name.startswith(f"tidegate+{database}+") for name in declared)
