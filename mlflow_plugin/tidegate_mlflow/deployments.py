"""The deployment target `tidegate:<target>`: asks the gate, then hands on to the target itself.

    client = mlflow.deployments.get_deploy_client("tidegate:sagemaker:/eu-west-1")
    client.create_deployment("fraud", "models:/fraud@champion")

Before a model goes to its target, its bytes are downloaded and hashed, and the gate decides about
deploying them: the registry (whose record then names who asked), the ledger in TIDEGATE_LEDGER, or
both. Always holds: a deployment target that is asked for by this name gets nothing that nobody
vouches for, whatever `TIDEGATE_VERIFY_ON_LOAD` says; and it gets the version that was decided on,
not an alias that may be moved meanwhile.
"""

from __future__ import annotations

import atexit
import shutil
from pathlib import Path
from typing import Any

from mlflow.artifacts import download_artifacts
from mlflow.deployments import BaseDeploymentClient, get_deploy_client
from mlflow.deployments import run_local as run_locally
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from tidegate.artifact import read_manifest
from tidegate.errors import TidegateError
from tidegate.policy.explain import printable
from tidegate_mlflow import client_host, vouching
from tidegate_mlflow.verifying import VerifyingModelsRepository
from tidegate_mlflow.vouching import Claim, RefusedOnLoadError

_PREFIX = "tidegate:"

_HELP = """\
tidegate:<target> asks the gate, then hands on to <target>.

<target> is any other target with all that belongs to it, such as tidegate:sagemaker:/eu-west-1.
A model goes on to it as models:/<name>/<version>, or, where it is of no registry, as a folder
with the very bytes that were checked. Configurations go on as they are.

For `run-local`, name the target in the configuration: -C target=<target>.
"""


def target_help() -> str:
    """What `mlflow deployments help -t tidegate` prints."""
    return _HELP


def run_local(
    name: str, model_uri: str, flavor: str | None = None, config: dict[str, Any] | None = None
) -> None:
    """Deploy on this machine by another target, named in the configuration's `target`."""
    rest = dict(config or {})
    target = _inner(str(rest.pop("target", "")))
    run_locally(target, name, admitted(model_uri, target), flavor, rest)


def admitted(model_uri: str, target: str) -> str:
    """The reference by which a model goes on to its target.

    Raises:
        MlflowException: PERMISSION_DENIED for what may not be deployed there.
    """
    settings = vouching.settings_of_process()
    folder = Path(client_host.new_folder())
    kept = False
    try:
        repository = _repository(model_uri)
        claim = repository.claim() if repository else Claim(printable(model_uri))
        if repository is not None:
            local = repository.repo.download_artifacts("", str(folder))
        else:
            local = download_artifacts(model_uri, dst_path=str(folder))
            # MLflow notes in a download which model it was, and may have, on the way to here.
            Path(local, client_host.MODEL_META).unlink(missing_ok=True)
        vouching.check_deployment(claim, read_manifest(local), settings, target)
        if repository is not None and claim.admitted:
            (version,) = claim.versions
            return f"models:/{version.subject}"
        if repository is not None:
            return model_uri
        kept = True
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return str(local)
    except TidegateError as error:
        raise RefusedOnLoadError(f"Tidegate: {error.explain()}") from error
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def _repository(model_uri: str) -> VerifyingModelsRepository | None:
    """The registry's own view of it, for a whole model of a registry."""
    if not VerifyingModelsRepository.is_models_uri(model_uri):
        return None
    root, path = VerifyingModelsRepository.split_models_uri(model_uri)
    if path:
        raise MlflowException(
            f"{model_uri!r} is a part of a model, and a model is deployed whole.",
            error_code=INVALID_PARAMETER_VALUE,
        )
    return VerifyingModelsRepository(root)


def _inner(target_uri: str) -> str:
    """The target behind ours."""
    inner = target_uri.removeprefix(_PREFIX).lstrip("/")
    if not inner or inner == "tidegate" or inner.startswith(_PREFIX):
        raise MlflowException(
            "Name the target that Tidegate hands on to, such as tidegate:sagemaker.",
            error_code=INVALID_PARAMETER_VALUE,
        )
    return inner


class GatedDeploymentClient(BaseDeploymentClient):
    """MLflow's client for a target, behind the gate."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        self._target = _inner(target_uri)
        self._client = get_deploy_client(self._target)

    def create_deployment(
        self,
        name: str,
        model_uri: str,
        flavor: str | None = None,
        config: dict[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> Any:
        """As the target's, for what may be deployed."""
        admitted_uri = admitted(model_uri, self._target)
        return self._client.create_deployment(
            name, admitted_uri, flavor=flavor, config=config, **_given(endpoint=endpoint)
        )

    def update_deployment(
        self,
        name: str,
        model_uri: str | None = None,
        flavor: str | None = None,
        config: dict[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> Any:
        """As the target's; a new model must be one that may be deployed."""
        admitted_uri = model_uri and admitted(model_uri, self._target)
        return self._client.update_deployment(
            name, model_uri=admitted_uri, flavor=flavor, config=config, **_given(endpoint=endpoint)
        )

    def delete_deployment(
        self, name: str, config: dict[str, Any] | None = None, endpoint: str | None = None
    ) -> Any:
        """As the target's."""
        return self._client.delete_deployment(name, **_given(config=config, endpoint=endpoint))

    def list_deployments(self, endpoint: str | None = None) -> Any:
        """As the target's."""
        return self._client.list_deployments(**_given(endpoint=endpoint))

    def get_deployment(self, name: str, endpoint: str | None = None) -> Any:
        """As the target's."""
        return self._client.get_deployment(name, **_given(endpoint=endpoint))

    def predict(
        self, deployment_name: str | None = None, inputs: Any = None, endpoint: str | None = None
    ) -> Any:
        """As the target's."""
        return self._client.predict(deployment_name, inputs, **_given(endpoint=endpoint))

    def predict_stream(
        self, deployment_name: str | None = None, inputs: Any = None, endpoint: str | None = None
    ) -> Any:
        """As the target's."""
        return self._client.predict_stream(deployment_name, inputs, **_given(endpoint=endpoint))

    def explain(
        self, deployment_name: str | None = None, df: Any = None, endpoint: str | None = None
    ) -> Any:
        """As the target's."""
        return self._client.explain(deployment_name, df, **_given(endpoint=endpoint))

    def create_endpoint(self, name: str, config: dict[str, Any] | None = None) -> Any:
        """As the target's. What its configuration may name is the target's own affair."""
        return self._client.create_endpoint(name, config)

    def update_endpoint(self, endpoint: str, config: dict[str, Any] | None = None) -> Any:
        """As the target's."""
        return self._client.update_endpoint(endpoint, config)

    def delete_endpoint(self, endpoint: str) -> Any:
        """As the target's."""
        return self._client.delete_endpoint(endpoint)

    def list_endpoints(self) -> Any:
        """As the target's."""
        return self._client.list_endpoints()

    def get_endpoint(self, endpoint: str) -> Any:
        """As the target's."""
        return self._client.get_endpoint(endpoint)

    def __getattr__(self, name: str) -> Any:
        """What a target has beyond MLflow's interface, unless it could deploy past the gate."""
        if name.startswith("_") or "deploy" in name.lower() or "model" in name.lower():
            raise AttributeError(
                f"{name!r} is no method of MLflow's deployment clients, and Tidegate can't tell "
                "what it deploys; ask the target itself for it"
            )
        return getattr(self._client, name)


def _given(**arguments: Any) -> dict[str, Any]:
    """The arguments that were given: older targets do not know all of them."""
    return {name: value for name, value in arguments.items() if value is not None}
