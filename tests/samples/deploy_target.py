"""A deployment target as a third party would write it: it loads what it is told to deploy."""

from __future__ import annotations

from typing import Any

import mlflow
from mlflow.deployments import BaseDeploymentClient

deployed: dict[str, str] = {}
calls: list[tuple[str, tuple[Any, ...]]] = []


class RecordingClient(BaseDeploymentClient):
    """Keeps what it was called with, and nothing of newer arguments."""

    def create_deployment(
        self, name: str, model_uri: str, flavor: Any = None, config: Any = None
    ) -> dict[str, str]:
        mlflow.pyfunc.load_model(model_uri)
        deployed[name] = model_uri
        return {"name": name, "flavor": flavor}

    def update_deployment(
        self, name: str, model_uri: Any = None, flavor: Any = None, config: Any = None
    ) -> dict[str, Any]:
        calls.append(("update", (name, model_uri, flavor, config)))
        if model_uri:
            deployed[name] = model_uri
        return {"flavor": flavor}

    def delete_deployment(self, name: str, config: Any = None) -> None:
        del deployed[name]

    def list_deployments(self) -> list[dict[str, str]]:
        return [{"name": name} for name in deployed]

    def get_deployment(self, name: str) -> dict[str, str]:
        return {"name": name}

    def predict(self, deployment_name: Any = None, inputs: Any = None) -> Any:
        return mlflow.pyfunc.load_model(deployed[deployment_name]).predict(inputs)

    def health(self) -> str:
        return "well"

    def deploy_anything(self, where: str) -> None:
        deployed["anything"] = where


def run_local(name: str, model_uri: str, flavor: Any = None, config: Any = None) -> None:
    deployed[name] = model_uri
    calls.append(("local", (flavor, config)))


def target_help() -> str:
    return "a target for tests"
