"""The review pages in the MLflow server, at /tidegate.

They are routes of MLflow's Flask app, which is the whole server under gunicorn and waitress, and
stands behind FastAPI's under uvicorn: so MLflow's own basic-auth has told who asks before a page is
asked for, whichever runs. Always holds: where that app is not in use, nobody is an admin here.
"""

from __future__ import annotations

from typing import Any

import flask

from tidegate.console.review.pages import MAX_FORM, Answer, Request, ReviewPages
from tidegate.console.review.viewer import Viewer
from tidegate.gate import Gate
from tidegate.ledger.records import Registration
from tidegate.settings import read_settings
from tidegate_mlflow import host, review_links

_ENDPOINT = "tidegate_review"
ENDPOINTS = frozenset({_ENDPOINT, f"{_ENDPOINT}_one"})
"""The routes that decide by themselves who may see and do what."""


def serve(gate: Gate) -> None:
    """Add the pages to this process's app; once, and not where TIDEGATE_REVIEW_PAGES is off."""
    app, base = host.flask_app(), host.route("/tidegate")
    setting = read_settings().review_pages
    if setting == "off" or _ENDPOINT in app.view_functions:
        return
    is_open = setting == "open"

    def answered(rest: str = "") -> Any:
        # Asked for now, since basic-auth sets the key after the pages are added.
        pages = ReviewPages(gate, base=base, key=host.secret_key())
        return _sent(pages.answer(_asked(rest, is_open=is_open)))

    app.add_url_rule(base, _ENDPOINT, answered, methods=["GET", "POST"], strict_slashes=False)
    app.add_url_rule(f"{base}/<path:rest>", f"{_ENDPOINT}_one", answered, methods=["GET", "POST"])
    review_links.serve_at(base)


def _asked(rest: str, *, is_open: bool) -> Request:
    asked = flask.request
    form: dict[str, str] = {}
    if asked.method == "POST":
        asked.max_content_length = MAX_FORM
        form = dict(asked.form)
    return Request(
        method=asked.method,
        path=rest,
        viewer=_viewer(is_open=is_open),
        host=asked.host,
        headers={name.lower(): value for name, value in asked.headers.items()},
        query=dict(asked.args),
        form=form,
    )


def _viewer(*, is_open: bool) -> Viewer:
    name = host.acting_user()
    if name is None:
        return Viewer(None, sees_all=is_open)
    return Viewer(name, is_admin=bool(host.acting_admin()), may_read=_may_read)


def _may_read(known: Registration) -> bool:
    """Whether the user may read the version that this is the registration of.

    One that is gone is nobody's any more: its name may have got another owner since.
    """
    if host.workspaces_enabled() or not host.may_read_model(known.name):
        return False
    return host.version_made_at(known.name, known.version) == known.created_ms


def _sent(answer: Answer) -> flask.Response:
    return flask.Response(answer.body, answer.status, dict(answer.headers))
