"""The MLmodel file: what loading the model would import, read and run.

Read from MLflow 3.17.2: `mlflow.pyfunc.load_model` puts the folder under `code` on the import
path, imports `loader_module`, and hands it the paths that stand in the flavors; models from code
are run from `model_code_path`. Some flavors import further names (`model_class`,
`keras_module`), and transformers fetch from the hub where no weights are inside.
"""

from __future__ import annotations

import re

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.mlmodel.loaders import check_class, check_module, known_loaders
from tidegate.scanners.streams import shown
from tidegate.scanners.text import read_text
from tidegate.scanners.yaml_text.scanner import report_tags
from tidegate.scanners.yaml_text.tree import (
    Mapping,
    Node,
    Scalar,
    Sequence,
    TreeError,
    read_tree,
    walk,
)

# Keys of a flavor where an honest model may tell of an address or an absolute path that loading
# does not follow, or that is a finding of its own.
_ONLY_TOLD = frozenset({"source_model_name", "model_code_path", "code"})
_OUTSIDE = re.compile(
    r"^(?:[/\\~]|[a-zA-Z]:[\\/])|^[a-zA-Z][a-zA-Z0-9+.-]+:/|(?:^|[\\/])\.\.(?:[\\/]|$)"
)
_TYPE_NAME = re.compile(r"[\w.]{1,500}")


class MLmodelScanner(Scanner):
    """Reads MLmodel files."""

    name = "mlmodel"
    formats = frozenset({"mlmodel"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """Judge every flavor by what its loader would do."""
        text = report_tags(subject, report, named=True)
        if text is None:
            report.found("MLMODEL-MALFORMED", subject, "The MLmodel file is no readable YAML.")
            return
        try:
            # MLflow never writes aliases, and they make one value stand at several places.
            root = read_tree(text, aliases=False)
        except TreeError as problem:
            report.found("MLMODEL-MALFORMED", subject, f"The MLmodel file is unusual: {problem}.")
            return
        flavors = root.get("flavors") if isinstance(root, Mapping) else None
        if not isinstance(root, Mapping) or not isinstance(flavors, Mapping):
            report.found("MLMODEL-MALFORMED", subject, "The MLmodel file has no flavors.")
            return
        for name, flavor in flavors.items.items():
            if isinstance(flavor, Mapping):
                _check_flavor(name, flavor, subject, report)
            else:
                report.found(
                    "MLMODEL-MALFORMED", subject, f"The flavor {shown(name)} is no mapping."
                )
        example = root.get("saved_input_example_info")
        if example is not None:
            _check_paths(example, ("saved_input_example_info",), subject, report)


def _check_flavor(name: str, flavor: Mapping, subject: Subject, report: Report) -> None:
    loaders = known_loaders()
    loader = flavor.get("loader_module")
    if loader is not None or name == "python_function":
        if isinstance(loader, Scalar) and not loader.is_null:
            check_module(loader.text, "loader", loaders.loader_modules, subject, report)
        else:
            report.found(
                "MLMODEL-MALFORMED", subject, f"The flavor {shown(name)} names no loader module."
            )
    if (module := flavor.text("keras_module")) is not None:
        check_module(module, "keras module", loaders.keras_modules, subject, report)
    if (qualified := flavor.text("model_class")) is not None:
        check_class(qualified, "model class", subject, report)
    for key in ("predict_fn", "predict_stream_fn"):
        method = flavor.text(key)
        if method is not None and not method.isidentifier():
            report.found("MLMODEL-MALFORMED", subject, f"{key} is no name of a method.")
    _check_code(name, flavor, subject, report)
    _check_remote(name, flavor, subject, report)
    _check_trusted_types(flavor.get("skops_trusted_types"), subject, report)
    _check_paths(flavor, ("flavors", name), subject, report)


def _check_code(name: str, flavor: Mapping, subject: Subject, report: Report) -> None:
    for key, what in (
        ("code", "puts its folder {} on the import path when it is loaded"),
        ("model_code_path", "is made by running its file {} when it is loaded"),
    ):
        value = flavor.get(key)
        if value is None or (isinstance(value, Scalar) and value.is_null):
            continue
        told = value.text if isinstance(value, Scalar) else "(several)"
        if key == "model_code_path":
            # Where the file once lay is told as well; MLflow takes it from the model's folder.
            told = told.replace("\\", "/").rsplit("/", 1)[-1]
        if (told != "code") if key == "code" else not told.endswith(".py"):
            report.found(
                "MLMODEL-MALFORMED",
                subject,
                f"{key} is {shown(told)}, which MLflow does not write.",
                detail=f"{key}={shown(told, 200)}",
            )
        report.found(
            "MLMODEL-CODE-PATH",
            subject,
            f"The model (flavor {shown(name)}) {what.format(shown(told))}.",
            detail=f"{key}={shown(told, 200)}",
        )


def _check_remote(name: str, flavor: Mapping, subject: Subject, report: Report) -> None:
    for keys, value in walk(flavor):
        if keys and keys[-1] == "trust_remote_code" and not value.is_false and not value.is_null:
            report.found(
                "MLMODEL-REMOTE",
                subject,
                "The model is loaded with trust_remote_code, which runs code from its repository.",
                detail="trust_remote_code",
            )
    for key in ("local_base_model_path", "base_model"):
        place = flavor.text(key) if name in {"transformers", "diffusers"} else None
        if place is not None:
            report.found(
                "MLMODEL-REMOTE",
                subject,
                f"The weights below the adapter are not inside; loading fetches {shown(place)}.",
                detail=shown(place, 200),
            )
    source = flavor.text("source_model_name")
    if name == "transformers" and flavor.text("model_binary") is None:
        told = shown(source) if source else "a repository"
        report.found(
            "MLMODEL-REMOTE",
            subject,
            f"The weights are not in the model; loading it fetches {told} from the hub.",
            detail=shown(source or "", 200),
        )


def _check_trusted_types(value: Node | None, subject: Subject, report: Report) -> None:
    """The model itself says which types skops shall trust, so the list is judged like the file."""
    if value is None or (isinstance(value, Scalar) and value.is_null):
        return
    if not isinstance(value, Sequence):
        report.found("MLMODEL-MALFORMED", subject, "skops_trusted_types is no list.")
        return
    from tidegate.scanners.callables import Use
    from tidegate.scanners.skops.judging import report_type

    for item in value.items:
        if not isinstance(item, Scalar) or not _TYPE_NAME.fullmatch(item.text):
            report.found("MLMODEL-MALFORMED", subject, "skops_trusted_types holds no type names.")
            continue
        module, _, name = item.text.rpartition(".")
        report_type(module, name, Use.NAME, "is to be trusted by skops", subject, report)


def _check_paths(node: Node, above: tuple[str, ...], subject: Subject, report: Report) -> None:
    """Default deny: whatever looks like a way out is one, but for keys that only tell."""
    for keys, value in walk(node):
        path = (*above, *keys)
        if _only_tells(path) or not _OUTSIDE.search(value.text):
            continue
        report.found(
            "MLMODEL-PATH",
            subject,
            f"{shown('.'.join(path))} leads out of the model's folder: {shown(value.text)}",
            detail=shown(".".join(path), 200),
        )


def _only_tells(path: tuple[str, ...]) -> bool:
    """Whether exactly that chain of keys only tells of a place: its own settings, its history."""
    if len(path) < 3 or path[0] != "flavors":
        return False
    key, below = path[2], path[3:]
    if key == "artifacts":
        return len(below) == 2 and below[1] == "uri"
    return bool(below) if key == "model_config" else key in _ONLY_TOLD and not below


class ModuleNameScanner(Scanner):
    """Reads the one-line files whose content MLflow's torch and keras flavors import."""

    name = "module-name"
    formats = frozenset({"module-name"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """Judge the module that the file names."""
        text = read_text(subject, report, limit=4096)
        if text is None:
            return
        loaders = known_loaders()
        if subject.name.lower().startswith("keras"):
            check_module(text, "keras module", loaders.keras_modules, subject, report)
        else:
            check_module(text, "pickle module", loaders.pickle_modules, subject, report)
