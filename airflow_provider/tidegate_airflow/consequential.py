"""Which tasks register or deploy a model, told by their class or by their function's source.

Nothing is run or imported to tell: a class is known by its name and those of its bases, and a
Python function by its own source. What a function does by way of another one is not seen.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Set
from typing import Any

OPERATORS = frozenset(
    {
        # Amazon SageMaker
        "SageMakerEndpointConfigOperator",
        "SageMakerEndpointOperator",
        "SageMakerModelOperator",
        "SageMakerRegisterModelVersionOperator",
        # Google Vertex AI
        "DeployModelOperator",
        "UploadModelOperator",
        # MLflow
        "CreateDeploymentOperator",
        "CreateModelVersionOperator",
    }
)
"""Classes of operators that register or deploy."""

_CALLS = frozenset({"create_model_version", "register_model"})
_NAMING_KEYWORD = "registered_model_name"


def class_of(task: Any) -> type:
    """The operator's class; of a mapped task, the class that is mapped."""
    found: type = getattr(task, "operator_class", None) or type(task)
    return found


def what_it_does(task: Any, operators: Set[str]) -> str | None:
    """Why a task counts as registering or deploying, for a person; None where it does not."""
    for each in class_of(task).__mro__:
        if each.__name__ in operators:
            return f"it is a {each.__name__}"
    function = getattr(task, "python_callable", None) or getattr(task, "partial_kwargs", {}).get(
        "python_callable"
    )
    return None if function is None else _in_source(function)


def _in_source(function: Any) -> str | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        # A built-in or a partial has no source, and none of ours to read.
        return None
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        target = node.func
        name = getattr(target, "attr", None) or getattr(target, "id", None)
        if name in _CALLS:
            return f"it calls {name}()"
        for keyword in node.keywords:
            none = isinstance(keyword.value, ast.Constant) and keyword.value.value is None
            if keyword.arg == _NAMING_KEYWORD and not none:
                return f"it calls {name}(…, {_NAMING_KEYWORD}=…)"
    return None
