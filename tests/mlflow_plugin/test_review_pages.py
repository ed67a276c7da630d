"""The review pages in a real MLflow server with users, in a real browser.

An admin follows the link of a data scientist's refusal, reads, decides, and it counts.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import RestException
from samples.servers import ADMIN, SECRET, Server, server_with_users

from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import Action, profile

BROWSERS = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
BROWSER = next((each for each in BROWSERS if each), None)
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="Chromium and chromedriver are not installed"
)


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server_with_users(
        tmp_path_factory.mktemp("reviewed"), permission="NO_PERMISSIONS"
    ) as server:
        yield server


@pytest.fixture
def as_ada(reviewed: Server, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    mlflow.set_tracking_uri(reviewed.address)
    mlflow.set_registry_uri(reviewed.address)
    return MlflowClient(reviewed.address, reviewed.address)


def held_by(client: MlflowClient, folder: Path, work: Path) -> Any:
    """A version of the user's own that is held."""
    mine = work / f"copy-{uuid.uuid4().hex[:6]}"
    shutil.copytree(folder, mine)
    # Bytes that nobody has reviewed.
    (mine / "notes.txt").write_text(uuid.uuid4().hex)
    name = f"model-{uuid.uuid4().hex[:8]}"
    experiment = client.create_experiment(name)
    model = client.create_logged_model(experiment, "model")
    client.log_model_artifacts(model.model_id, str(mine))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model(name)
    version = client.create_model_version(
        name, f"models:/{model.model_id}", model_id=model.model_id, await_creation_for=0
    )
    assert version.status == "FAILED_REGISTRATION"
    return version


def refusal_of(version: Any) -> str:
    with pytest.raises(RestException) as caught:
        mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}")
    return str(caught.value.message)


def page_of(server: Server, version: Any) -> str:
    """The link in what the scientist is told when the version is registered."""
    assert len(version.status_message) <= 500
    match = re.search(r"/tidegate/\d+", version.status_message)
    assert match is not None, version.status_message
    return server.address + match[0]


def get(page: str, user: str = ADMIN) -> requests.Response:
    return requests.get(page, auth=(user, SECRET), timeout=60)


def post(page: str, user: str = ADMIN, *, headers: Any = None, **form: str) -> requests.Response:
    return requests.post(
        page, data=form, auth=(user, SECRET), headers=headers, timeout=60, allow_redirects=False
    )


def token_on(page: str) -> str:
    match = re.search(r'name="token" value="([^"]+)"', get(page).text)
    assert match is not None
    return match[1]


@contextmanager
def browser(server: Server, user: str) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(each)
    options.add_argument("--window-size=1300,1500")
    options.binary_location = str(BROWSER)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        driver.set_page_load_timeout(60)
        password = SECRET.replace(" ", "%20")
        # A browser keeps what it signed in with for the site.
        driver.get(server.address.replace("://", f"://{user}:{password}@") + "/tidegate/review.css")
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def admins_browser(reviewed: Server) -> Iterator[Any]:
    with browser(reviewed, ADMIN) as driver:
        yield driver


def act(driver: Any, word: str, reason: str, **fields: str) -> str:
    """Fill in one of the page's forms and send it; what the next page says was done."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    button = driver.find_element(By.CSS_SELECTOR, f'button[value="{word}"]')
    form = button.find_element(By.XPATH, "./ancestor::form")
    form.find_element(By.NAME, "reason").send_keys(reason)
    for name, value in fields.items():
        driver.execute_script(
            "arguments[0].value = arguments[1]", form.find_element(By.NAME, name), value
        )
    button.click()
    WebDriverWait(driver, 60).until(lambda shown: f"done={word}" in shown.current_url)
    return str(driver.find_element(By.CSS_SELECTOR, "[role=status]").text)


@needs_browser
@pytest.mark.slow
def test_a_refusals_link_leads_to_an_approval_that_counts_and_a_rejection_that_ends_it(
    reviewed: Server,
    as_ada: MlflowClient,
    admins_browser: Any,
    models: dict[str, Path],
    tmp_path: Path,
) -> None:
    version = held_by(as_ada, models["hostile"], tmp_path)
    refusal = refusal_of(version)
    link = re.search(rf"{reviewed.address}/tidegate/\d+", refusal)
    assert link is not None, refusal
    admins_browser.get(link[0])
    shown = admins_browser.find_element("tag name", "main").text
    assert "PICKLE-EXEC" in shown
    assert "model.pkl" in shown
    assert "byte" in shown
    assert "approval is on record" in act(admins_browser, "approve", "a test of ours")
    mlflow.artifacts.download_artifacts(f"models:/{version.name}/1")
    with Ledger.open(reviewed.database) as ledger:
        (review,) = ledger.reviews_for(ledger.resolve(f"{version.name}/1"))
        assert (review.actor, review.reason) == (ADMIN, "a test of ours")
    assert "rejection is on record" in act(admins_browser, "reject", "it leaks")
    assert "it leaks" in refusal_of(version)


@needs_browser
@pytest.mark.slow
def test_a_rule_is_waived_until_a_day(
    reviewed: Server,
    as_ada: MlflowClient,
    admins_browser: Any,
    models: dict[str, Path],
    tmp_path: Path,
) -> None:
    version = held_by(as_ada, models["own-code"], tmp_path)
    day = (datetime.now(UTC) + timedelta(days=12)).date().isoformat()
    admins_browser.get(page_of(reviewed, version))
    told = act(admins_browser, "waive", "read it", rule="PICKLE-UNREVIEWED-CODE", until=day)
    assert "passes, by exception" in told
    mlflow.artifacts.download_artifacts(f"models:/{version.name}/1")
    assert day in admins_browser.find_element("tag name", "main").text


@needs_browser
@pytest.mark.slow
def test_its_author_sees_why_and_gets_no_buttons(
    reviewed: Server, as_ada: MlflowClient, models: dict[str, Path], tmp_path: Path
) -> None:
    version = held_by(as_ada, models["hostile"], tmp_path)
    with browser(reviewed, "ada") as driver:
        driver.get(page_of(reviewed, version))
        assert "PICKLE-EXEC" in driver.find_element("tag name", "main").text
        assert driver.find_elements("css selector", "form") == []
        # No script runs, not even one of ours.
        assert driver.find_elements("css selector", "script") == []


def test_only_admins_decide_and_only_readers_of_a_model_see_its_page(
    reviewed: Server, as_ada: MlflowClient, models: dict[str, Path], tmp_path: Path
) -> None:
    page = page_of(reviewed, held_by(as_ada, models["hostile"], tmp_path))
    assert requests.get(page, timeout=60).status_code == 401
    assert get(page, "ada").status_code == 200
    assert get(page, "bob").status_code == 404
    assert get(f"{reviewed.address}/tidegate", "ada").status_code == 403
    assert get(f"{reviewed.address}/tidegate").status_code == 200
    sent = {"token": token_on(page), "do": "approve", "reason": "please"}
    assert post(page, "ada", **sent).status_code == 403
    assert post(page, "bob", **sent).status_code == 403
    # What basic-auth denies users for want of a rule stays denied.
    other = f"{reviewed.address}/get-artifact/tidegate"
    assert get(other, "bob").status_code in {403, 404}


def test_forged_and_stale_forms_record_nothing(
    reviewed: Server, as_ada: MlflowClient, models: dict[str, Path], tmp_path: Path
) -> None:
    version = held_by(as_ada, models["hostile"], tmp_path)
    page = page_of(reviewed, version)
    sent = {"token": token_on(page), "do": "approve", "reason": "forged"}
    forged = {"Sec-Fetch-Site": "cross-site"}
    assert post(page, headers=forged, **sent).status_code == 403
    assert post(page, headers={"Origin": "https://evil.example"}, **sent).status_code == 403
    assert post(page, **{**sent, "token": "1.2"}).status_code == 409
    assert post(page, **{**sent, "reason": "x" * 200_000}).status_code == 413
    with Gate(profile("standard"), Ledger.open(reviewed.database)) as gate:
        digest = gate.ledger.resolve(f"{version.name}/1")
        assert gate.ledger.reviews_for(digest) == ()
        gate.reject(digest, actor="grace", reason="seen")
        assert post(page, **sent).status_code == 409
        assert [each.actor for each in gate.ledger.reviews_for(digest)] == ["grace"]
        assert not gate.standing_of(digest, Action.LOAD).allowed


def test_credentials_in_runs_are_shown_to_admins_by_name_alone(
    reviewed: Server, as_ada: MlflowClient, models: dict[str, Path], tmp_path: Path
) -> None:
    experiment = as_ada.create_experiment(f"e-{uuid.uuid4().hex[:8]}")
    run = as_ada.create_run(experiment)
    as_ada.log_param(run.info.run_id, "db_password", "hunter2-and-more")
    as_ada.log_artifacts(run.info.run_id, str(models["clean"]), "model")
    name = f"model-{uuid.uuid4().hex[:8]}"
    as_ada.create_registered_model(name)
    as_ada.create_model_version(
        name, f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=0
    )
    page = f"{reviewed.address}/tidegate/credentials"
    shown = get(page)
    assert "params.db_password" in shown.text
    assert run.info.run_id in shown.text
    assert "hunter2" not in shown.text
    assert get(page, "ada").status_code == 403


@pytest.mark.slow
def test_gunicorn_serves_the_same_pages(
    tmp_path_factory: pytest.TempPathFactory,
    models: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path_factory.mktemp("reviewed-gunicorn")
    with server_with_users(
        folder, permission="NO_PERMISSIONS", options=("--gunicorn-opts", "--threads 4")
    ) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
        mlflow.set_tracking_uri(server.address)
        mlflow.set_registry_uri(server.address)
        client = MlflowClient(server.address, server.address)
        version = held_by(client, models["hostile"], tmp_path)
        page = page_of(server, version)
        assert get(page, "bob").status_code == 404
        sent = {"token": token_on(page), "do": "approve", "reason": "a test of ours"}
        assert post(page, "ada", **sent).status_code == 403
        assert post(page, **sent).status_code == 303
        mlflow.artifacts.download_artifacts(f"models:/{version.name}/1")


def test_a_server_without_users_says_that_reviewing_is_off(
    server: Server, registry: Any, models: dict[str, Path]
) -> None:
    version = registry.register(models["hostile"])
    page = page_of(server, version)
    told = requests.get(page, timeout=60)
    assert told.status_code == 200
    assert "PICKLE-EXEC" in told.text
    off = requests.get(f"{server.address}/tidegate", timeout=60)
    assert "tidegate-auth" in off.text
    assert version.name not in off.text
    answer = requests.post(page, data={"do": "approve", "reason": "me"}, timeout=60)
    assert answer.status_code == 403
