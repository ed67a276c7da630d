"""Models of torch's runtime for phones, as flatbuffers ("PTMF").

The runtime interprets bytecode over torch's operators; it can't reach Python. What a model calls
stands in it as the operators' names, and these are judged as those of TorchScript code.
"""

from __future__ import annotations

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.torchscript.archive import scan_operators


class TorchMobileScanner(Scanner):
    """Reads torch's mobile models."""

    name = "torch-mobile"
    formats = frozenset({"torch-mobile"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """Judge every operator that is named."""
        report.found("TORCH-SCRIPT", subject, "The model carries bytecode for torch's interpreter.")
        scan_operators(subject, report)
