"""How the registry says no: every refusal and every failure of ours as a 4xx with its reason.

Always holds: nothing leaves a gated call as a 5xx. MLflow's client answers a 5xx by trying
again, for minutes; a refusal must reach the person at once, and a call that creates something
must not be repeated behind his back.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    BAD_REQUEST,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_CONFLICT,
    ErrorCode,
)
from sqlalchemy.exc import SQLAlchemyError

from tidegate.errors import ArtifactError, OperatorError, TidegateError
from tidegate.policy import Decision
from tidegate_mlflow import review_links

_log = logging.getLogger(f"mlflow.{__name__}")

P = ParamSpec("P")
R = TypeVar("R")


def refused(message: str) -> MlflowException:
    """403: what was asked for is held or not permitted."""
    return MlflowException(message, error_code=PERMISSION_DENIED)


def refusal(decision: Decision) -> MlflowException:
    """403 with the decision as its author reads it."""
    return refused(review_links.for_the_asker(decision).explain())


def invalid(message: str) -> MlflowException:
    """400: the request itself can't be right."""
    return MlflowException(message, error_code=INVALID_PARAMETER_VALUE)


def gated(call: Callable[P, R]) -> Callable[P, R]:
    """Let a store's method raise nothing but MLflow's own exceptions with a 4xx status."""

    @functools.wraps(call)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except MlflowException as error:
            if error.get_http_status_code() < 500:
                raise
            raise translated(error) from error
        except (TidegateError, SQLAlchemyError) as error:
            raise translated(error) from error
        except Exception as error:  # any other flaw must hold, with a reason
            raise translated(error) from error

    return answered


def translated(error: Exception) -> MlflowException:
    """The 4xx that stands for an error of ours, of MLflow's or of the database's."""
    if isinstance(error, ArtifactError):
        return refused(f"Tidegate: {error.explain()}")
    if isinstance(error, OperatorError):
        _log.error("held, because Tidegate can't work: %s", error.message)
        return MlflowException(f"Tidegate: {error.explain()}", error_code=RESOURCE_CONFLICT)
    if isinstance(error, TidegateError):
        return MlflowException(f"Tidegate: {error.explain()}", error_code=BAD_REQUEST)
    # MLflow wraps what a nested call raised; the innermost reason is what a person can use.
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, MlflowException) and inner.get_http_status_code() < 500:
            return MlflowException(inner.message, error_code=ErrorCode.Value(inner.error_code))
        inner = inner.__cause__
    if isinstance(error, SQLAlchemyError):
        _log.error("held, because the registry's database failed", exc_info=error)
        return MlflowException(
            "The registry's database can't be used now, so nothing was changed. Try again later.",
            error_code=RESOURCE_CONFLICT,
        )
    if isinstance(error, MlflowException):
        return MlflowException(str(error), error_code=BAD_REQUEST)
    _log.error("a gated call failed", exc_info=error)
    return MlflowException(
        f"Tidegate could not decide, so this is held: {type(error).__name__}: {error}",
        error_code=BAD_REQUEST,
    )
