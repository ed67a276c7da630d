"""The list of scanners, and the name of the rules that they apply.

Always holds: a scanner's module is imported when its format first turns up, those of the common
formats by `preload` before a worker has anything to read; nothing is looked up by what happens to
be installed.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from functools import cache

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
    ("zarr", "zarr:ZarrScanner", (Format.ZARR,)),
    ("ocdbt", "ocdbt:OcdbtScanner", (Format.OCDBT,)),
    ("msgpack", "messages.scanner:MessagePackScanner", (Format.MSGPACK,)),
    ("hdf5", "hdf5.scanner:Hdf5Scanner", (Format.HDF5,)),
    ("mlmodel", "mlmodel.scanner:MLmodelScanner", (Format.MLMODEL,)),
    ("module-name", "mlmodel.scanner:ModuleNameScanner", (Format.MODULE_NAME,)),
    ("yaml", "yaml_text.scanner:YamlScanner", (Format.YAML,)),
    ("requirements", "requirements:RequirementsScanner", (Format.REQUIREMENTS,)),
    (
        "code",
        "code:CodeScanner",
        (Format.BYTECODE, Format.SCRIPT, Format.NATIVE),
    ),
    (
        "boosters",
        "boosters.scanner:BoosterScanner",
        (Format.XGBOOST, Format.UBJSON, Format.LIGHTGBM, Format.CATBOOST),
    ),
    (
        "tabular",
        "tabular.scanner:TableScanner",
        (Format.PARQUET, Format.ARROW, Format.AVRO, Format.ORC, Format.SQLITE),
    ),
    ("foreign", "foreign.scanner:ForeignScanner", (Format.R_OBJECT, Format.JAVA_OBJECT)),
    (
        "documents",
        "documents.scanner:DocumentScanner",
        (Format.PDF, Format.COMPOUND, Format.RTF),
    ),
    (
        "vectors",
        "vectors.scanner:VectorScanner",
        (Format.FASTTEXT, Format.WORD2VEC, Format.MATLAB, Format.CHECKSUMS),
    ),
    ("media", "media.scanner:MediaScanner", (Format.IMAGE, Format.MEDIA)),
    ("markup", "markup.scanner:MarkupScanner", (Format.MARKUP,)),
    ("gguf", "gguf.scanner:GgufScanner", (Format.GGUF,)),
    ("ggml-old", "gguf.scanner:OldGgmlScanner", (Format.GGML_OLD,)),
    ("template", "template.scanner:TemplateScanner", (Format.TEMPLATE,)),
    ("onnx", "onnx.scanner:OnnxScanner", (Format.ONNX,)),
    ("ort", "onnx.ort:OrtScanner", (Format.ORT,)),
    ("notebook", "notebook:NotebookScanner", (Format.NOTEBOOK,)),
    ("python", "python_source.scanner:PythonScanner", (Format.PYTHON,)),
    ("tensorflow", "tensorflow.scanner:TensorFlowScanner", (Format.TENSORFLOW,)),
    ("tf-checkpoint", "tensorflow.checkpoint:CheckpointScanner", (Format.TF_CHECKPOINT,)),
    ("tf-records", "tensorflow.records:RecordScanner", (Format.TF_RECORDS,)),
    ("tflite", "tensorflow.lite:LiteScanner", (Format.TFLITE,)),
    ("protobuf-plain", "protobuf.plain:PlainScanner", (Format.SENTENCEPIECE, Format.COREML)),
    ("protobuf-text", "protobuf.text_scanner:ProtobufTextScanner", (Format.PROTOBUF_TEXT,)),
    ("text", "text:TextScanner", (Format.TEXT, Format.JSON)),
    (
        "compressed",
        "compressed:CompressedScanner",
        (Format.GZIP, Format.BZ2, Format.XZ, Format.LZMA, Format.ZLIB, Format.LZ4, Format.ZSTD),
    ),
    ("tar", "tar.scanner:TarScanner", (Format.TAR,)),
    (
        "torch-mobile",
        "torchscript.mobile:TorchMobileScanner",
        (Format.TORCH_MOBILE,),
    ),
    ("zip-in-stream", "zip.in_stream:ZipInStreamScanner", (Format.ZIP_IN_STREAM,)),
    ("uuencoded", "uuencoded:UuencodedScanner", (Format.ENCODED_TEXT,)),
    ("7z", "sevenzip.scanner:SevenZipScanner", (Format.SEVENZIP,)),
    (
        "unsupported",
        "unsupported:UnsupportedScanner",
        (Format.OTHER_ARCHIVE, Format.RAR, Format.CABINET),
    ),
)
"""Each scanner: its name, its class below `tidegate.scanners`, and the formats that it reads."""

_HOMES = {name: f"tidegate.scanners.{home}" for name, home, _ in _SCANNERS}
_READERS = {told: name for name, _, formats in _SCANNERS for told in formats}

INERT = frozenset({Format.EMPTY})
"""Formats that no loader takes for more than what they are, and that pass unread."""

# Libraries whose opinion goes into evidence or which read for us.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_TOOLS = ("Jinja2", "picklescan", "PyYAML", "safetensors")
_COMMON = ("pickle", "zip", "numpy")
_PRELOADED = (
    "encodings.unicode_escape",
    "encodings.utf_8_sig",
    "encodings.utf_16",
    "encodings.utf_32",
    "encodings.cp1252",
    "encodings.iso8859_15",
    "encodings.rot_13",
    "tidegate.scanners.callables",
    "tidegate.scanners.dispatch",
    "tidegate.scanners.pickle.probe",
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
    """Import what most scans need, and give the tools with their versions.

    The rest is imported when its format turns up: a sealed worker may still read our own code.
    """
    from tidegate import __version__
    from tidegate.scanners import rules

    for module in _PRELOADED:
        importlib.import_module(module)
    for name in _COMMON:
        scanner_named(name)
    rules.rules()
    return (("tidegate", __version__), *((tool, _installed(tool)) for tool in _TOOLS))


def _installed(tool: str) -> str:
    """The version of an installed distribution, as the folder beside it is named.

    `importlib.metadata` would tell as well, and takes longer to import than a small model to scan.
    """
    prefix = f"{tool.lower()}-"
    for place in sys.path:
        if os.path.isdir(place):
            for name in os.listdir(place):
                if name.lower().startswith(prefix) and name.endswith(".dist-info"):
                    return name[len(prefix) : -len(".dist-info")]
    return "missing"


@cache
def ruleset_version() -> str:
    """The name of these rules: the month of their last release, and a hash over all of them.

    The hash covers every data file and every line of code that has a part in a finding, so two
    installations name the same ruleset only where they judge the same way.
    """
    digest = hashlib.sha256()
    for path in ruleset_files():
        with open(os.path.join(_PACKAGE, path), "rb") as file:
            content = file.read().replace(b"\r\n", b"\n")
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return f"2026.11-{digest.hexdigest()[:12]}"


def ruleset_files() -> tuple[str, ...]:
    """Every file that has a part in a finding, by its path in the package, in a fixed order."""
    found = []
    for root in ("scanners", "artifact/formats"):
        for folder, _, names in os.walk(os.path.join(_PACKAGE, root)):
            inside = os.path.relpath(folder, _PACKAGE).replace(os.sep, "/")
            found += [f"{inside}/{name}" for name in names if name.endswith((".py", ".json"))]
    return tuple(sorted(found))
