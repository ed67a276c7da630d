"""What Airflow is told about this provider, as plain data.

Airflow loads this module in every one of its processes, so it imports nothing but the version.
`package-name` must be the distribution's own canonical name, or discovery stops with an error.
"""

from __future__ import annotations

from typing import Any

from tidegate import __version__


def get_provider_info() -> dict[str, Any]:
    """The provider's description, in the shape of Airflow's `provider_info.schema.json`."""
    return {
        "package-name": "tidegate",
        "name": "Tidegate",
        "description": "Lets models and other artifacts flow on only on evidence that they are "
        "safe: scanning, quarantine and a deploy gate.",
        "versions": [__version__],
        "integrations": [{"integration-name": "Tidegate", "tags": ["security", "ml"]}],
        "operators": [
            {"integration-name": "Tidegate", "python-modules": ["tidegate_airflow.operators"]}
        ],
        "hooks": [{"integration-name": "Tidegate", "python-modules": ["tidegate_airflow.hook"]}],
        "connection-types": [
            {
                "connection-type": "tidegate",
                "hook-class-name": "tidegate_airflow.hook.TidegateHook",
                "hook-name": "Tidegate",
                # The ledger's address is one URL, so the fields that would say it in parts are
                # hidden; the password has its own field, which Airflow encrypts and masks.
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {
                        "host": "Ledger URL or console address",
                        "login": "Ledger user",
                        "password": "Ledger password or token",
                    },
                    "placeholders": {
                        "host": "postgresql+pg8000://db.example.com:5432/tidegate",
                        "login": "tidegate",
                        "policy": "/etc/tidegate/tidegate.yaml",
                    },
                },
                "conn-fields": {
                    "policy": {
                        "label": "Policy",
                        "description": "A policy file on the workers, or the name of a built-in "
                        "profile. Tasks that use this connection can't choose another.",
                        "schema": {"type": ["string", "null"]},
                    }
                },
            }
        ],
    }
