"""Write the operators that TensorFlow registers: python tools/graphs/tensorflow_operators.py.

What of them a graph may use is decided by `tensorflow_refused.json` beside the list. An operator
stays on the list once it was there, for graphs of older versions.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

OUTPUT = (
    Path(__file__).parents[2] / "shared/tidegate/scanners/data/graphs/tensorflow_operators.json"
)


def main() -> None:
    """Join what the installed version registers with what the list has."""
    known: set[str] = set()
    if OUTPUT.exists():
        known.update(json.loads(OUTPUT.read_text("utf-8"))["operators"].split())
    registered = op_def_pb2.OpList()
    registered.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    known.update(op.name for op in registered.op)
    content = {
        "schema": 1,
        "versions": {"tensorflow-cpu": version("tensorflow-cpu")},
        "operators": " ".join(sorted(known)),
    }
    OUTPUT.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
