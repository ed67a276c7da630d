"""The registry's answer to whether a version may be deployed, and the record of who asked.

MLflow's protocol has no such question, so it is put as a tag (`names.DEPLOY_TAG`) whose value
says where to. Always holds: it is answered by a decision about deploying, on the bytes as they
are now, and writes no tag; who may not write a version's tags may not deploy it either.
"""

from __future__ import annotations

import logging
from typing import Any

from tidegate.policy import Action
from tidegate.policy.explain import printable
from tidegate_mlflow.answers import gated
from tidegate_mlflow.names import DEPLOY_TAG

_log = logging.getLogger(f"mlflow.{__name__}")

# Put over the gated store, whose methods it calls.
_Store: Any = object


class Deploying(_Store):
    """What is put over the gated registry, so that it can be asked about deployments."""

    @gated
    def set_model_version_tag(self, name: str, version: Any, tag: Any) -> None:
        """As the gated registry's; one key is no tag but a question."""
        if tag.key != DEPLOY_TAG:
            super().set_model_version_tag(name, version, tag)
            return
        self._require(Action.DEPLOY, name, version)
        _log.info("%s/%s may go to %s.", printable(name), version, printable(str(tag.value)))
