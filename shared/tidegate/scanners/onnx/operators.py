"""Which operators an ONNX model may use: those of onnx and onnxruntime, by name, from data."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

_STANDARD = frozenset({"", "ai.onnx"})


@cache
def known_operators() -> frozenset[tuple[str, str]]:
    """Domain and name of every operator that computes and does nothing else."""
    refused = set(refused_operators())
    pairs = {
        (domain, name)
        for domain, names in _data("onnx_operators")["domains"].items()
        for name in names
        if name not in refused
    }
    return frozenset(pairs | {("ai.onnx", name) for domain, name in pairs if domain == ""})


@cache
def refused_operators() -> dict[str, str]:
    """The names of operators that do more, in whatever domain, each with what it does."""
    return dict(_data("onnx_refused")["operators"])


def _data(name: str) -> dict[str, dict[str, str]]:
    path = files("tidegate.scanners").joinpath(f"data/graphs/{name}.json")
    data: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8"))
    return data


def domain_of(domain: str) -> str:
    """The domain, with the standard one under one name."""
    return "" if domain in _STANDARD else domain
