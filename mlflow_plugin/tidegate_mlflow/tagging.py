"""The calls that set and delete tags: ours are ours alone (see `reserved`)."""

from __future__ import annotations

from typing import Any

from tidegate_mlflow import answers, reserved
from tidegate_mlflow.answers import gated
from tidegate_mlflow.rows import Rows


class Tagging(Rows):
    """Tags of registered models and of versions."""

    @gated
    def set_registered_model_tag(self, name: str, tag: Any) -> None:
        """As MLflow's, without tags of ours; a model with versions can't be made a prompt."""
        reserved.refuse_reserved(tag.key)
        if reserved.is_prompt_tag(tag.key) and not super().get_registered_model(name)._is_prompt():
            raise answers.invalid(f"Tidegate: {name!r} is a model and can't be made a prompt.")
        super().set_registered_model_tag(name, tag)

    @gated
    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """As MLflow's, without tags of ours."""
        reserved.refuse_reserved(key)
        super().delete_registered_model_tag(name, key)

    @gated
    def set_model_version_tag(self, name: str, version: Any, tag: Any) -> None:
        """As MLflow's, without tags of ours; a model's version can't be made a prompt's."""
        reserved.refuse_reserved(tag.key)
        if reserved.is_prompt_tag(tag.key) and not self._row(name, version).is_prompt:
            raise answers.invalid(f"Tidegate: {name}/{version} is a model, not a prompt.")
        super().set_model_version_tag(name, version, tag)

    @gated
    def delete_model_version_tag(self, name: str, version: Any, key: str) -> None:
        """As MLflow's, without tags of ours."""
        reserved.refuse_reserved(key)
        super().delete_model_version_tag(name, version, key)
