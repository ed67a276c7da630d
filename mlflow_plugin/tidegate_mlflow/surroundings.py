"""What is told about a run's surroundings: commit and changes, libraries and locks, machine.

Looked at in threads beside the program and kept for a while, so that many runs in a row cost one
look. A run waits for it no longer than `PATIENCE`; what was not told in time is named in
`tidegate.untold`.

Always holds: no credential and no environment variable but the image's name goes into a tag; and
nothing is imported in the threads, for MLflow guards imports with a lock of its own, and two
threads that import at the same time can then wait for each other for ever.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tidegate.provenance.code import here, running_script
from tidegate.provenance.environment import Environment, capture_environment
from tidegate.provenance.git import GitState, read_git
from tidegate.provenance.host import IMAGE_VARIABLE, Host, HostProbe
from tidegate.provenance.redaction import Redactor

_log = logging.getLogger(f"mlflow.{__name__}")

# The host's look wants the first, if there is one; cleaning an image's name the second.
with contextlib.suppress(ImportError):
    importlib.import_module("pwd")

PATIENCE = 0.03
"""Seconds that a run waits for its context."""

_FRESH = 10.0
_LONGEST = 5000


class _NoText(Redactor):
    """No name and no URL of a repository goes into a tag, so none needs to be cleaned."""

    def text(self, where: str, text: str) -> str:
        """Nothing of it."""
        del where, text
        return ""

    def url(self, url: str) -> str:
        """Nothing of it."""
        del url
        return ""


class Look:
    """One look around; it begins at once."""

    def __init__(self) -> None:
        if os.environ.get(IMAGE_VARIABLE):
            Redactor().text("", "")
        self._started = time.monotonic()
        self._told: dict[str, dict[str, str]] = {}
        folder = _folder()
        probe = HostProbe.start()
        questions: dict[str, Callable[[], dict[str, str]]] = {
            "git": lambda: _of_git(read_git(folder, _NoText())),
            "environment": lambda: _of_environment(capture_environment((folder,))),
            "host": lambda: _of_host(probe.result()),
        }
        self._threads = {
            name: threading.Thread(target=self._ask, args=(name, question), daemon=True)
            for name, question in questions.items()
        }
        for thread in self._threads.values():
            thread.start()

    def is_stale(self) -> bool:
        """Whether what was seen may have changed since."""
        ended = not any(thread.is_alive() for thread in self._threads.values())
        return ended and time.monotonic() - self._started > _FRESH

    def tags(self) -> dict[str, str]:
        """What has been told, after waiting a little for the rest."""
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        told = dict(self._told)
        tags = {key: value for part in told.values() for key, value in part.items()}
        tags["tidegate.untold"] = ", ".join(name for name in self._threads if not told.get(name))
        return {key: value[:_LONGEST] for key, value in tags.items() if value}

    def _ask(self, name: str, question: Callable[[], dict[str, str]]) -> None:
        try:
            self._told[name] = question()
        except Exception as error:  # noqa: BLE001 - named as untold; the others go on
            _log.info("the run's %s can't be told: %s", name, error)


def _folder() -> Path:
    """Where the program's code lies: its script's folder, or else the one at hand."""
    script = running_script()
    for folder in (script.parent, here()) if script is not None else ():
        if any((parent / ".git").exists() for parent in (folder, *folder.parents)):
            return folder
    return here()


def _of_git(state: GitState | None) -> dict[str, str]:
    if state is None:
        return {"tidegate.git.dirty": "no repository"}
    dirty = None if state.changed is None else state.changed or bool(state.untracked)
    return {
        "tidegate.git.commit": state.commit or "",
        "tidegate.git.dirty": "" if dirty is None else str(dirty).lower(),
        "tidegate.git.diff": f"sha256:{state.diff}" if state.diff else "",
    }


def _of_environment(environment: Environment) -> dict[str, str]:
    locks = (f"{lock.name} sha256:{lock.sha256}" for lock in environment.locks)
    return {
        "tidegate.python": environment.python or "",
        "tidegate.environment": environment.digest or "",
        "tidegate.lock": ", ".join(locks),
    }


def _of_host(host: Host) -> dict[str, str]:
    return {
        "tidegate.host": host.name,
        "tidegate.gpu": ", ".join(card.name for card in host.gpus),
        "tidegate.cuda": host.cuda or "",
        "tidegate.container": " ".join(filter(None, (host.container, host.container_id))),
        "tidegate.image": host.image or "",
    }
