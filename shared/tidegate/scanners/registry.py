"""The list of scanners, and the name of the rules that they apply.

Always holds: a scanner's module is imported when its format first turns up, or by `preload`
before a worker seals itself; nothing is looked up by what happens to be installed.
"""

from __future__ import annotations

import hashlib
import importlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable

from tidegate.artifact.formats import Format
from tidegate.scanners.interface import Scanner

_SCANNERS: tuple[tuple[str, str, tuple[Format, ...]], ...] = (
    ("pickle", "pickle:PickleScanner", (Format.PICKLE,)),
    ("torch-legacy", "torch_legacy:TorchLegacyScanner", (Format.TORCH_LEGACY,)),
    (
        "zip",
        "zip.scanner:ZipScanner",
        (Format.ZIP, Format.TORCH_ZIP, Format.SKOPS, Format.NPZ),
    ),
    ("numpy", "numpy_format:NumpyScanner", (Format.NUMPY,)),
    ("safetensors", "safetensors_format:SafetensorsScanner", (Format.SAFETENSORS,)),
    ("mlmodel", "mlmodel.scanner:MLmodelScanner", (Format.MLMODEL,)),
    ("module-name", "mlmodel.scanner:ModuleNameScanner", (Format.MODULE_NAME,)),
    ("yaml", "yaml_text.scanner:YamlScanner", (Format.YAML,)),
    ("requirements", "requirements:RequirementsScanner", (Format.REQUIREMENTS,)),
    (
        "code",
        "code:CodeScanner",
        (Format.PYTHON, Format.NOTEBOOK, Format.BYTECODE, Format.SCRIPT, Format.NATIVE),
    ),
    (
        "boosters",
        "boosters.scanner:BoosterScanner",
        (Format.XGBOOST, Format.UBJSON, Format.LIGHTGBM, Format.CATBOOST),
    ),
    ("markup", "markup.scanner:MarkupScanner", (Format.MARKUP,)),
    ("template", "template.scanner:TemplateScanner", (Format.TEMPLATE,)),
    ("text", "text:TextScanner", (Format.TEXT, Format.JSON)),
    (
        "compressed",
        "compressed:CompressedScanner",
        (Format.GZIP, Format.BZ2, Format.XZ, Format.LZMA, Format.ZLIB),
    ),
)
"""Each scanner: its name, its class below `tidegate.scanners`, and the formats that it reads."""

_HOMES = {name: f"tidegate.scanners.{home}" for name, home, _ in _SCANNERS}
_READERS = {told: name for name, _, formats in _SCANNERS for told in formats}

INERT = frozenset({Format.EMPTY, Format.IMAGE})
"""Formats that no loader takes for more than what they are, and that pass unread."""

# Libraries whose opinion goes into evidence or which read for us; a worker imports them early.
_TOOLS = ("Jinja2", "picklescan", "PyYAML", "safetensors")
_PRELOADED = (
    "bz2",
    "json.decoder",
    "lzma",
    "pickletools",
    "picklescan.scanner",
    "xml.parsers.expat",
    "tidegate.scanners.markup.tables",
    "safetensors",
    "yaml",
    "zlib",
    "encodings.cp437",
    "encodings.unicode_escape",
    "encodings.utf_8_sig",
    "encodings.utf_16",
    "encodings.utf_32",
    "tidegate.scanners.callables",
    "tidegate.scanners.json_text",
    "tidegate.scanners.pickle.probe",
    "tidegate.scanners.raw",
    "tidegate.scanners.skops.scanner",
    "tidegate.scanners.zip.exported",
)


@cache
def scanner_named(name: str) -> Scanner:
    """The one instance of that scanner; KeyError where there is none of the name."""
    module, _, attribute = _HOMES[name].partition(":")
    scanner = getattr(importlib.import_module(module), attribute)()
    if not isinstance(scanner, Scanner):
        raise TypeError(f"{_HOMES[name]} is no scanner")
    return scanner


def scanner_for(told: Format) -> Scanner | None:
    """The scanner that reads the format, or None where this version has none."""
    name = _READERS.get(told)
    return None if name is None else scanner_named(name)


def preload() -> tuple[tuple[str, str], ...]:
    """Import all that scanning may need, and give the tools with their versions."""
    from tidegate import __version__
    from tidegate.scanners import rules

    for module in _PRELOADED:
        importlib.import_module(module)
    for name in _HOMES:
        scanner_named(name)
    rules.rules()
    tools = [("tidegate", __version__)]
    for tool in _TOOLS:
        try:
            tools.append((tool, version(tool)))
        except PackageNotFoundError:
            tools.append((tool, "missing"))
    return tuple(tools)


@cache
def ruleset_version() -> str:
    """The name of these rules: the month of their last release, and a hash over all of them.

    The hash covers every data file and every line of code that has a part in a finding, so two
    installations name the same ruleset only where they judge the same way.
    """
    digest = hashlib.sha256()
    package = files("tidegate")
    roots = (("scanners", package / "scanners"), ("formats", package / "artifact/formats"))
    for path, entry in sorted(_walk(roots), key=lambda pair: pair[0]):
        content = entry.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return f"2026.11-{digest.hexdigest()[:12]}"


def _walk(entries: tuple[tuple[str, Traversable], ...]) -> list[tuple[str, Traversable]]:
    found = []
    pending = list(entries)
    while pending:
        path, entry = pending.pop()
        if entry.is_dir():
            pending.extend((f"{path}/{inner.name}", inner) for inner in entry.iterdir())
        elif path.endswith((".py", ".json")):
            found.append((path, entry))
    return found
