"""What a name adds: readings that are stricter than what the content shows, never fewer."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tidegate.artifact.formats.kinds import Format

_CODE_SUFFIXES = {
    ".py": Format.PYTHON,
    ".pyw": Format.PYTHON,
    ".pyx": Format.PYTHON,
    ".ipynb": Format.NOTEBOOK,
    ".pyc": Format.BYTECODE,
    ".pyo": Format.BYTECODE,
    ".sh": Format.SCRIPT,
    ".bash": Format.SCRIPT,
    ".zsh": Format.SCRIPT,
    ".ksh": Format.SCRIPT,
    ".csh": Format.SCRIPT,
    ".fish": Format.SCRIPT,
    ".bat": Format.SCRIPT,
    ".cmd": Format.SCRIPT,
    ".ps1": Format.SCRIPT,
    ".psm1": Format.SCRIPT,
    ".vbs": Format.SCRIPT,
    ".js": Format.SCRIPT,
    ".mjs": Format.SCRIPT,
    ".wsf": Format.SCRIPT,
    ".hta": Format.SCRIPT,
    ".lua": Format.SCRIPT,
    ".pl": Format.SCRIPT,
    ".rb": Format.SCRIPT,
    ".php": Format.SCRIPT,
    ".r": Format.SCRIPT,
    ".jl": Format.SCRIPT,
    ".scala": Format.SCRIPT,
    ".exe": Format.NATIVE,
    ".dll": Format.NATIVE,
    ".scr": Format.NATIVE,
    ".so": Format.NATIVE,
    ".dylib": Format.NATIVE,
    ".pyd": Format.NATIVE,
}
_TEMPLATE_SUFFIXES = (".jinja", ".jinja2", ".j2")
_TEMPLATE_NAMES = frozenset({"chat_template", "chat_template.txt", "chat_template.tmpl"})
_PICKLE_SUFFIXES = (".pkl", ".pickle", ".pck", ".dill", ".joblib", ".cloudpickle")
_MARKUP_SUFFIXES = (".html", ".htm", ".xhtml", ".svg", ".xml", ".pmml")

_PROTOBUF_SUFFIXES = {".onnx": Format.ONNX, ".pb": Format.PROTOBUF}


def by_name(base: str, told: list[Format]) -> Iterator[Format]:
    """Readings that the name adds. It adds none to bytes that are known to be something else."""
    suffix = os.path.splitext(base.lower())[1]  # noqa: PTH122 - a name inside an archive, no path
    if (code := _CODE_SUFFIXES.get(suffix)) is not None:
        yield code
    texts = {Format.TEXT, Format.JSON, Format.YAML, Format.REQUIREMENTS, Format.MARKUP}
    if suffix in _PICKLE_SUFFIXES and (not told or texts & set(told)):
        yield Format.PICKLE
    if suffix in _MARKUP_SUFFIXES and texts & set(told):
        yield Format.MARKUP
    is_template = suffix in _TEMPLATE_SUFFIXES or base.lower() in _TEMPLATE_NAMES
    if is_template and texts & set(told):
        yield Format.TEMPLATE
    if suffix == ".safetensors" and (not told or texts & set(told)):
        yield Format.SAFETENSORS
    if suffix in _PROTOBUF_SUFFIXES and not told:
        yield _PROTOBUF_SUFFIXES[suffix]
    if suffix in {".msgpack", ".mpk"} and not told:
        yield Format.MSGPACK
    if base in {".zarray", "zarr.json"} and texts & set(told):
        yield Format.ZARR
