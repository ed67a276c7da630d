"""Write the operators that ONNX models may use: onnx's own and those of onnxruntime.

    python tools/graphs/onnx_operators.py

in an environment with onnx and onnxruntime. An operator stays on the list once it was there.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import onnx
import onnxruntime.capi.onnxruntime_pybind11_state as runtime

OUTPUT = Path(__file__).parents[2] / "shared/tidegate/scanners/data/graphs/onnx_operators.json"


def main() -> None:
    """Join what both libraries define with what the list has."""
    domains: dict[str, set[str]] = {}
    if OUTPUT.exists():
        for domain, names in json.loads(OUTPUT.read_text("utf-8"))["domains"].items():
            domains[domain] = set(names)
    schemas = [*onnx.defs.get_all_schemas_with_history(), *runtime.get_all_operator_schema()]
    for schema in schemas:
        domains.setdefault(schema.domain, set()).add(schema.name)
    content = {
        "schema": 1,
        "versions": {name: version(name) for name in ("onnx", "onnxruntime")},
        "domains": {domain: sorted(names) for domain, names in sorted(domains.items())},
    }
    OUTPUT.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
