"""Every name that this provider takes from Airflow, and where each version keeps it.

Airflow 3.1 and later are supported. No other module here imports `airflow`, so a release that
moves a name is answered in this file alone.
"""

from __future__ import annotations

from airflow.sdk import BaseHook, BaseOperator, Context
from airflow.sdk.log import mask_secret

try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
    )
except ImportError:  # Airflow 3.1: the SDK has not taken these over yet
    from airflow.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
    )

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "BaseHook",
    "BaseOperator",
    "Context",
    "mask_secret",
]
