"""The link in a refusal to the page where it is reviewed.

A policy's `review_url` counts first. Without one, whoever is answered gets the address by which he
has reached this server himself; what is stored, and so shown to others, gets only the path: the
Host of a request is its sender's word. Always holds: no link is given where no page is served.
"""

from __future__ import annotations

from dataclasses import replace

import flask

from tidegate.policy import Decision

_LONGEST = 120

_served_at: str | None = None


def serve_at(path: str | None) -> None:
    """From now on the pages are under this path of the server; None where there are none."""
    global _served_at  # noqa: PLW0603 - one for a process, as the server's app is
    _served_at = path


def for_the_asker(decision: Decision) -> Decision:
    """The decision with a link for whoever sent the request that is being answered."""
    linked = for_the_record(decision)
    if linked is decision or not flask.has_request_context():
        return linked
    address = flask.request.host_url.rstrip("/") + str(linked.review_url)
    return linked if len(address) > _LONGEST else replace(decision, review_url=address)


def for_the_record(decision: Decision) -> Decision:
    """The decision with a link that anybody who reads it at this server may follow."""
    if _served_at is None or decision.review_url:
        return decision
    return replace(decision, review_url=_served_at)
