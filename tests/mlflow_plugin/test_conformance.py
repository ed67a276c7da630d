"""A clean model gets the same answers from a gated server as from a stock one, to the letter.

One script makes every registry call of MLflow's client and asks every REST route of the registry,
right and wrong, on both servers; what differs by nature (ids, times, addresses) is made equal.
What a gated registry adds is named here and nowhere else: the tag with a version's digest, and the
place that a download leads to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from samples.servers import Server, mlflow_server

from tidegate_mlflow.names import DIGEST_TAG

# By which both servers differ without any gate.
_ALIKE = (
    (
        re.compile(r"mlflow-artifacts:/+0/(models/m-[0-9a-f]{32}/artifacts|tidegate-kept/\w+)"),
        "<AT>",
    ),
    (re.compile(r"m-[0-9a-f]{32}"), "<MODEL>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<RUN>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b"), "<ID>"),
    (re.compile(r"\b1[0-9]{12}\b"), "<TIME>"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "<SERVER>"),
)


def alike(answer: Any) -> Any:
    """An answer without what differs by nature, and without what the gate adds."""
    if isinstance(answer, dict):
        return {
            key: alike(value)
            for key, value in sorted(answer.items())
            if key != DIGEST_TAG and not (key == "tags" and not alike(value))
        }
    if isinstance(answer, list | tuple):
        return [
            alike(each)
            for each in answer
            if not (isinstance(each, dict) and each.get("key") == DIGEST_TAG)
        ]
    text = str(answer)
    for pattern, name in _ALIKE:
        text = pattern.sub(name, text)
    return text


def plain(entity: Any) -> Any:
    """MLflow's entities by their properties, and all else as text."""
    return dict(entity) if hasattr(entity, "_properties") else str(entity)


class Script:
    """Asks one server and writes down what it answers."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.client = MlflowClient(server.address, server.address)
        self.folder = folder
        self.said: list[tuple[str, Any]] = []
        self.routes: set[tuple[str, str]] = set()
        mlflow.set_tracking_uri(server.address)
        mlflow.set_registry_uri(server.address)

    def call(self, label: str, attempt: Callable[[], Any]) -> Any:
        """One call of the client; its result or its error."""
        try:
            result = attempt()
        except MlflowException as error:
            self.said.append((label, ("error", error.error_code, alike(str(error)))))
            return None
        self.said.append((label, alike(json.loads(json.dumps(result, default=plain)))))
        return result

    def rest(self, verb: str, route: str, fields: dict[str, Any]) -> dict[str, Any]:
        """One raw request; its status and body."""
        import requests

        answer: dict[str, Any] = {}
        for base in ("api", "ajax-api"):
            address = f"{self.server.address}/{base}/2.0/mlflow/{route}"
            given = {"params": fields} if verb == "GET" else {"json": fields}
            got = requests.request(verb, address, timeout=60, **given)
            try:
                answer = got.json()
            except ValueError:
                answer = {"text": got.text}
            self.said.append((f"{verb} {base} {route} {fields}", (got.status_code, alike(answer))))
            self.routes.add((verb, f"/{base}/2.0/mlflow/{re.sub('WEBHOOK', '', route)}"))
        return answer

    def version(self, name: str) -> Any:
        """A clean model, logged and registered."""
        model = self.client.create_logged_model("0", "model")
        self.client.log_model_artifacts(model.model_id, str(self.folder))
        self.client.finalize_logged_model(model.model_id, "READY")
        return self.call(
            f"create a version of {name}",
            lambda: self.client.create_model_version(
                name,
                f"models:/{model.model_id}",
                tags={"team": "fraud"},
                description="the first",
                model_id=model.model_id,
            ),
        )


def clients_calls(script: Script) -> None:
    """Every registry call of MlflowClient."""
    c, call = script.client, script.call
    call("create", lambda: c.create_registered_model("a", {"k": "v"}, "about a"))
    call("create again", lambda: c.create_registered_model("a"))
    call("create no name", lambda: c.create_registered_model(""))
    call("create bad name", lambda: c.create_registered_model("a/b"))
    call("get", lambda: c.get_registered_model("a"))
    call("get none", lambda: c.get_registered_model("nobody"))
    script.version("a")
    script.version("a")
    call("get", lambda: c.get_registered_model("a"))
    call("update", lambda: c.update_registered_model("a", "about a again"))
    call("search", lambda: list(c.search_registered_models("name LIKE 'a%'")))
    call("search bad", lambda: list(c.search_registered_models("nothing = 1")))
    call("tag", lambda: c.set_registered_model_tag("a", "owner", "ada"))
    call("tag bad", lambda: c.set_registered_model_tag("a", "", "ada"))
    call("untag", lambda: c.delete_registered_model_tag("a", "k"))
    call("version", lambda: c.get_model_version("a", "1"))
    call("version none", lambda: c.get_model_version("a", "9"))
    call("version bad", lambda: c.get_model_version("a", "one"))
    call("update version", lambda: c.update_model_version("a", "1", "about it"))
    call("search versions", lambda: list(c.search_model_versions("name = 'a'")))
    call("search versions by tag", lambda: list(c.search_model_versions("tags.team = 'fraud'")))
    call("search ordered", lambda: list(c.search_model_versions("", 1, ["version_number ASC"])))
    call("tag version", lambda: c.set_model_version_tag("a", "1", "owner", "ada"))
    call("tag by stage", lambda: c.set_model_version_tag("a", key="x", value="y", stage="None"))
    call("untag version", lambda: c.delete_model_version_tag("a", "1", "owner"))
    call("untag none", lambda: c.delete_model_version_tag("a", "1", "nothing"))
    call("uri", lambda: c.get_model_version_download_uri("a", "1"))
    call("uri none", lambda: c.get_model_version_download_uri("a", "9"))
    call("stages", lambda: c.get_model_version_stages("a", "1"))
    call("stage", lambda: c.transition_model_version_stage("a", "1", "Production"))
    call("stage bad", lambda: c.transition_model_version_stage("a", "1", "Nowhere"))
    call("stage over", lambda: c.transition_model_version_stage("a", "2", "Production", True))
    call("latest", lambda: c.get_latest_versions("a"))
    call("latest of", lambda: c.get_latest_versions("a", ["Production"]))
    call("latest bad", lambda: c.get_latest_versions("nobody"))
    call("archive", lambda: c.transition_model_version_stage("a", "2", "Archived"))
    call("alias", lambda: c.set_registered_model_alias("a", "champion", "1"))
    call("alias bad", lambda: c.set_registered_model_alias("a", "v1", "1"))
    call("alias none", lambda: c.set_registered_model_alias("a", "champion", "9"))
    call("by alias", lambda: c.get_model_version_by_alias("a", "champion"))
    call("by no alias", lambda: c.get_model_version_by_alias("a", "nothing"))
    call("copy", lambda: c.copy_model_version("models:/a/1", "b"))
    call("copy by alias", lambda: c.copy_model_version("models:/a@champion", "b"))
    call("copy none", lambda: c.copy_model_version("models:/a/9", "b"))
    call("load", lambda: mlflow.sklearn.load_model("models:/a@champion").predict([[5, 3, 1, 0]]))
    call("load a copy", lambda: mlflow.sklearn.load_model("models:/b/1").predict([[5, 3, 1, 0]]))
    call("unalias", lambda: c.delete_registered_model_alias("a", "champion"))
    call("rename", lambda: c.rename_registered_model("a", "z"))
    call("rename onto", lambda: c.rename_registered_model("z", "b"))
    call("renamed", lambda: c.get_registered_model("z"))
    call("load renamed", lambda: mlflow.sklearn.load_model("models:/z/1").predict([[5, 3, 1, 0]]))
    call("delete version", lambda: c.delete_model_version("z", "2"))
    call("delete version again", lambda: c.delete_model_version("z", "2"))
    call("after", lambda: list(c.search_model_versions("name = 'z'")))
    script.version("z")
    call("delete", lambda: c.delete_registered_model("z"))
    call("delete again", lambda: c.delete_registered_model("z"))
    call("anew", lambda: c.create_registered_model("z"))
    script.version("z")
    call("no source", lambda: c.create_model_version("z", "", await_creation_for=0))
    call("foreign source", lambda: c.create_model_version("z", "/etc", await_creation_for=0))
    for prompt in (
        lambda: mlflow.genai.register_prompt("p", "Say {{word}}.", tags={"a": "b"}).template,
        lambda: mlflow.genai.register_prompt("p", "Say {{word}} twice.").version,
        lambda: mlflow.genai.set_prompt_alias("p", "live", 2),
        lambda: mlflow.genai.load_prompt("prompts:/p@live").template,
        lambda: [each.name for each in mlflow.genai.search_prompts()],
        lambda: c.set_prompt_version_tag("p", "1", "x", "y"),
        lambda: c.delete_prompt_version_tag("p", "1", "x"),
        lambda: c.set_prompt_tag("p", "x", "y"),
        lambda: c.delete_prompt_alias("p", "live"),
        lambda: c.delete_prompt_version("p", "1"),
        lambda: c.get_model_version("p", "2"),
    ):
        call("prompt", prompt)


ROUTES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", "registered-models/create", {"name": "r", "tags": [{"key": "k", "value": "v"}]}),
    ("POST", "registered-models/create", {}),
    ("GET", "registered-models/get", {"name": "r"}),
    ("GET", "registered-models/get", {"name": "nobody"}),
    ("PATCH", "registered-models/update", {"name": "r", "description": "d"}),
    ("GET", "registered-models/search", {"filter": "name = 'r'"}),
    ("GET", "registered-models/search", {"max_results": 1000001}),
    ("POST", "registered-models/set-tag", {"name": "r", "key": "a", "value": "b"}),
    ("DELETE", "registered-models/delete-tag", {"name": "r", "key": "a"}),
    ("POST", "model-versions/create", {"name": "r", "source": "models:/z/1"}),
    ("POST", "model-versions/create", {"name": "r", "source": "s3:/x/../y"}),
    ("POST", "model-versions/create", {"name": "r"}),
    ("GET", "model-versions/get", {"name": "r", "version": "1"}),
    ("GET", "model-versions/get", {"name": "r"}),
    ("PATCH", "model-versions/update", {"name": "r", "version": "1", "description": "d"}),
    ("GET", "model-versions/search", {"filter": "name = 'r'"}),
    ("GET", "model-versions/search", {"filter": "bad"}),
    ("GET", "model-versions/get-download-uri", {"name": "r", "version": "1"}),
    ("GET", "model-versions/get-download-uri", {"name": "r", "version": "99"}),
    ("POST", "model-versions/set-tag", {"name": "r", "version": "1", "key": "a", "value": "b"}),
    ("DELETE", "model-versions/delete-tag", {"name": "r", "version": "1", "key": "a"}),
    (
        "POST",
        "model-versions/transition-stage",
        {"name": "r", "version": "1", "stage": "Staging", "archive_existing_versions": False},
    ),
    ("GET", "registered-models/get-latest-versions", {"name": "r"}),
    ("POST", "registered-models/get-latest-versions", {"name": "r", "stages": ["Staging"]}),
    ("POST", "registered-models/alias", {"name": "r", "alias": "live", "version": "1"}),
    ("POST", "registered-models/alias", {"name": "r", "alias": "latest", "version": "1"}),
    ("GET", "registered-models/alias", {"name": "r", "alias": "live"}),
    ("GET", "registered-models/alias", {"name": "r", "alias": "nothing"}),
    ("DELETE", "registered-models/alias", {"name": "r", "alias": "live"}),
    ("POST", "registered-models/rename", {"name": "r", "new_name": "s"}),
    ("DELETE", "model-versions/delete", {"name": "s", "version": "1"}),
    ("DELETE", "model-versions/delete", {"name": "s", "version": "1"}),
    ("DELETE", "registered-models/delete", {"name": "s"}),
)


@pytest.fixture(scope="module")
def stock_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("stock")
    with mlflow_server(folder, f"sqlite:///{folder}/mlflow.db", gated=False) as server:
        yield server


@pytest.fixture(scope="module")
def fresh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("gated")
    with mlflow_server(folder, f"sqlite:///{folder}/mlflow.db") as server:
        yield server


@pytest.mark.slow
def test_every_registry_call_is_answered_as_by_a_stock_server(
    stock_server: Server, fresh_server: Server, models: dict[str, Path]
) -> None:
    scripts = []
    for server in (stock_server, fresh_server):
        script = Script(server, models["clean"])
        clients_calls(script)
        for verb, route, fields in ROUTES:
            script.rest(verb, route, fields)
        scripts.append(script)
    stock, gated = (script.said for script in scripts)
    different = [(one, other) for one, other in zip(stock, gated, strict=True) if one != other]
    assert different == []
    # The script shows something: models were loaded, and wrong calls were refused.
    assert sum(isinstance(said, tuple) and said[0] == "error" for _, said in stock) > 15
    assert [said for label, said in stock if label.startswith("load")] == ["[0]"] * 3


def test_no_route_of_the_registry_is_left_out() -> None:
    from mlflow.server import handlers

    known = {
        (verb, re.sub(r"^/(ajax-)?api/2\.0/mlflow/", "", path))
        for path, _, verbs in handlers.get_endpoints()
        for verb in verbs
        if "/registered-models/" in path or "/model-versions/" in path
    }
    assert known == {(verb, route) for verb, route, _ in ROUTES}
