"""Configurations of models in a Triton server (`config.pbtxt`): what the server would run for it.

A back end of Triton's own for a format that is read here passes; Python, unknown back ends,
libraries of operators, packed environments and repository agents are code that comes with the
model or must be there already, and are held.
"""

from __future__ import annotations

import re
from typing import Any

from tidegate.scanners.embedded import judge_text
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.onnx.tensors import place_problem
from tidegate.scanners.protobuf.tree import Frame, Judge
from tidegate.scanners.streams import shown

_BACKENDS = frozenset({
    "", "dali", "fil", "identity", "onnxruntime", "openvino", "pytorch", "tensorflow", "tensorrt",
})  # fmt: skip
_PLATFORMS = frozenset({
    "", "ensemble", "onnxruntime_onnx", "pytorch_libtorch", "tensorflow_graphdef",
    "tensorflow_savedmodel", "tensorrt_plan",
})  # fmt: skip
_AGENTS = frozenset({"checksum"})
_CODE = re.compile(r".*\.(?:so(?:\.[\d.]+)?|dll|dylib|py|pyc|sh|tar(?:\.\w+)?|tgz|zip)", re.I)


class TritonJudge(Judge):
    """Reads one ModelConfig."""

    kept = frozenset({
        "ModelConfig.backend", "ModelConfig.platform", "ModelConfig.default_model_filename",
        "ModelConfig.runtime", "ModelConfig.CcModelFilenamesEntry.value", "ModelConfig.name",
        "ModelConfig.ParametersEntry.key", "ModelParameter.string_value",
        "ModelOperations.op_library_filename", "ModelRepositoryAgents.Agent.name",
        "ModelWarmup.Input.input_data_file",
    })  # fmt: skip

    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        super().__init__(subject, report, "PROTOBUF-MALFORMED", "configuration")
        self._dispatcher = dispatcher

    def done(self, frame: Frame) -> Any:
        """Judge a complete message."""
        name = frame.message.name
        if name == "ModelConfig":
            self._config(frame)
        elif name == "ModelOperations":
            for library in frame.texts("op_library_filename"):
                self._code(f"loads the library {shown(library)}", library, Severity.CRITICAL)
        elif name == "ModelRepositoryAgents.Agent":
            for agent in frame.texts("name"):
                if agent not in _AGENTS:
                    self._code(f"runs the repository agent {shown(agent)}", agent)
        elif name == "ModelParameter":
            return frame.texts("string_value")
        elif name == "ModelConfig.ParametersEntry":
            self._parameter(frame)
        elif name == "ModelConfig.CcModelFilenamesEntry":
            self._files(frame.texts("value"))
        elif name == "ModelWarmup.Input":
            self._files(frame.texts("input_data_file"))
        return None

    def _config(self, frame: Frame) -> None:
        for backend in frame.texts("backend"):
            if backend == "python":
                self._code("is run by the Python back end, from a model.py beside it", backend)
            elif backend not in _BACKENDS:
                self._code(f"needs the back end {shown(backend)}, which is not Triton's", backend)
        for platform in frame.texts("platform"):
            if platform not in _PLATFORMS:
                self._code(f"needs the platform {shown(platform)}, unknown to Triton", platform)
        for runtime in frame.texts("runtime"):
            if not re.fullmatch(r"(?:libtriton_(?:[a-z]+)\.so)?", runtime):
                self._code(f"is run by {shown(runtime)}", runtime)
        self._files(frame.texts("default_model_filename"))

    def _files(self, names: list[str]) -> None:
        for name in names:
            problem = place_problem(name)
            if problem is not None and name:
                self._code(f"names a file {shown(name)!r}, which {problem}", name)
            elif re.fullmatch(r".*\.(?:py|so|dll|sh)", name, re.IGNORECASE):
                self._code(f"names {shown(name)} as its model", name)

    def _parameter(self, frame: Frame) -> None:
        key = frame.text("key")
        for value in (value for values in frame.all("value") for value in values):
            judge_text(
                value.encode("utf-8", "replace"),
                f"the parameter {shown(key, 40)}",
                frame.offset,
                self.subject,
                self.report,
                self._dispatcher,
            )
            problem = place_problem(value) if len(value) > 1 else None
            if key.upper() == "EXECUTION_ENV_PATH" or _CODE.fullmatch(value):
                self._code(f"brings code of its own: {shown(key)} is {shown(value)}", key)
            elif problem in {"is an absolute path", "climbs out of the folder"}:
                self._code(f"names a path in {shown(key)}, {shown(value)}, which {problem}", key)

    def _code(self, what: str, detail: str, severity: Severity | None = None) -> None:
        self.report.found(
            "TRITON-CODE",
            self.subject,
            f"The model {what}.",
            severity=severity,
            detail=shown(detail, 200),
        )
