"""Deleting and renaming: a protected alias is not taken away along with what it points to.

Always holds: whoever may not delete an alias may not delete the version that it points to or the
model that it belongs to, and may not rename that model either, which would leave whoever asks for
it by its old name without an answer.
"""

from __future__ import annotations

from typing import Any

from tidegate_mlflow import answers, host
from tidegate_mlflow.answers import gated
from tidegate_mlflow.using import Using


class Removing(Using):
    """The calls that take versions and models away."""

    @gated
    def delete_model_version(self, name: str, version: Any) -> None:
        """As MLflow's, refused to those from whom an alias of the version is protected."""
        self._require_right_to_aliases(name, self._row(name, version).version)
        super().delete_model_version(name, version)

    @gated
    def delete_registered_model(self, name: str) -> None:
        """As MLflow's, refused to those from whom an alias of the model is protected."""
        self._require_right_to_aliases(name, None)
        super().delete_registered_model(name)

    @gated
    def rename_registered_model(self, name: str, new_name: str) -> Any:
        """As MLflow's, refused to those from whom an alias of the model is protected."""
        self._require_right_to_aliases(name, None)
        return super().rename_registered_model(name, new_name)

    def _require_right_to_aliases(self, name: str, version: int | None) -> None:
        """Refuse what takes a protected alias away; of one version, or of all of the model's."""
        if not self.gate.policy.protected_aliases:
            return
        model = super().get_registered_model(name)
        if model._is_prompt():
            return
        for alias, number in sorted(dict(model.aliases).items()):
            if version is not None and int(number) != version:
                continue
            if self.gate.policy.protection_of(alias) == "admin" and not host.acting_admin():
                raise answers.refused(
                    f"Tidegate: the alias {alias!r} points to version {number} and is set and "
                    "deleted by admins of this server alone, by the policy's protected_aliases, "
                    "and this would take it away. Ask one of them to move the alias first; a "
                    "server tells who is an admin where it runs --app-name tidegate-auth."
                )
