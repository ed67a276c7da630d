"""Write the protobuf schemas that the graph readers know, from the libraries that define them.

    python tools/graphs/schemas.py FAMILY

with FAMILY one of `FAMILIES`, in an environment that has its library. Each schema is one file of
`shared/tidegate/scanners/data/protobuf/`: by message and field number the field's name, its kind
(varint, fixed32, fixed64, string, bytes, message, group, enum), "*" where it repeats, and the
message or the enum's values it holds. The library's version stands beside it.
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parents[2] / "shared/tidegate/scanners/data/protobuf"

FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "onnx": (
        "onnx",
        (
            "onnx.onnx_ml_pb2:ModelProto",
            "onnx.onnx_data_pb2:SequenceProto",
            "onnx.onnx_data_pb2:OptionalProto",
        ),
    ),
    "tensorflow": (
        "tensorflow-cpu",
        (
            "tensorflow.core.protobuf.saved_model_pb2:SavedModel",
            "tensorflow.core.protobuf.fingerprint_pb2:FingerprintDef",
            "tensorflow.core.protobuf.tensor_bundle_pb2:BundleHeaderProto",
            "tensorflow.core.protobuf.tensor_bundle_pb2:BundleEntryProto",
            "tensorflow.core.protobuf.trackable_object_graph_pb2:TrackableObjectGraph",
            "tensorflow.core.util.event_pb2:Event",
            "tensorflow.core.example.example_pb2:Example",
            "tensorflow.core.example.example_pb2:SequenceExample",
            "tensorflow.python.keras.protobuf.saved_metadata_pb2:SavedMetadata",
            "tensorflow.python.training.checkpoint_state_pb2:CheckpointState",
        ),
    ),
    "triton": ("tritonclient", ("tritonclient.grpc.model_config_pb2:ModelConfig",)),
    "coreml": ("coremltools", ("coremltools.proto.Model_pb2:Model",)),
    "sentencepiece": (
        "sentencepiece",
        ("sentencepiece.sentencepiece_model_pb2:ModelProto",),
    ),
}
_KINDS = {
    1: "fixed64", 2: "fixed32", 3: "varint", 4: "varint", 5: "varint", 6: "fixed64",
    7: "fixed32", 8: "varint", 9: "string", 10: "group", 11: "message", 12: "bytes",
    13: "varint", 14: "enum", 15: "fixed32", 16: "fixed64", 17: "varint", 18: "varint",
}  # fmt: skip


def collect(roots: list[Any]) -> dict[str, dict[str, list[Any]]]:
    """All messages that the roots reach."""
    messages: dict[str, dict[str, list[Any]]] = {}
    pending = list(roots)
    while pending:
        descriptor = pending.pop()
        if descriptor.full_name in messages:
            continue
        fields = messages[descriptor.full_name] = {}
        for field in sorted(descriptor.fields, key=lambda each: each.number):
            holds: Any = None
            if field.message_type is not None:
                holds = field.message_type.full_name
                pending.append(field.message_type)
            elif field.enum_type is not None:
                holds = {value.name: value.number for value in field.enum_type.values}
            repeats = "*" if field.is_repeated else ""
            fields[str(field.number)] = [field.name, _KINDS[field.type], repeats, holds]
    return dict(sorted(messages.items()))


def main(family: str) -> None:
    """Write the one schema."""
    library, roots = FAMILIES[family]
    found = []
    for root in roots:
        module, _, name = root.partition(":")
        found.append(getattr(importlib.import_module(module), name).DESCRIPTOR)
    messages = collect(found)
    lines = [
        f"  {json.dumps(name)}: {json.dumps(fields, separators=(', ', ': '))}"
        for name, fields in messages.items()
    ]
    header = f'{{\n "schema": 1,\n "library": {json.dumps(library)},\n'
    header += f' "version": {json.dumps(version(library))},\n "messages": {{\n'
    (OUTPUT / f"{family}.json").write_text(header + ",\n".join(lines) + "\n }\n}\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
