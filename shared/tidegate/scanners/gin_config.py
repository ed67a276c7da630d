"""Gin configurations: what they import, include and bind.

Gin imports every module that a configuration names, and hands what `@name` refers to to the
function whose parameter it is bound to; a macro only moves the reference. The lines are read as
Gin's own parser begins them, whatever stands on the rest of the line.
"""

from __future__ import annotations

import re

from tidegate.scanners.callables import Standing, judge, judge_module
from tidegate.scanners.hub_config import is_named_danger, leads_outside
from tidegate.scanners.interface import Report, Severity, Subject
from tidegate.scanners.streams import shown

_NAME = re.compile(r".+\.gin(?:\.txt)?|(?:operative|config)_?(?:gin|config)?.*\.gin")
_IMPORT = re.compile(
    r"^[ \t]*(?:import[ \t]+(?P<module>[\w.]+)|from[ \t]+(?P<package>[\w.]+)[ \t]+import\b)"
)
_INCLUDE = re.compile(r"^[ \t]*include[ \t]+['\"]([^'\"]*)['\"]")
_REFERENCE = re.compile(r"@(?:[\w-]+/)*([A-Za-z_][\w.]*)")
_BOUND = re.compile(r"^[ \t]*(?:[\w-]+/)*([A-Za-z_][\w.]*)\.\w+[ \t]*=")
_KNOWN = frozenset(
    {"__gin__", "clu", "flax", "jax", "gin", "ml_collections", "numpy", "optax", "orbax", "seqio",
     "t5", "t5x", "tensorflow", "tensorflow_datasets", "tensorflow_text", "tensor2tensor", "mesh",
     "mesh_tensorflow", "torch", "trax", "tf_agents", "dopamine", "ddsp", "alf", "compare_gan"}
)  # fmt: skip
"""Libraries that Gin configures, and whose import does nothing else."""


def is_gin(name: str) -> bool:
    """Whether a file of that name is taken for a Gin configuration."""
    return _NAME.fullmatch(name.lower()) is not None


def report_gin(text: str, subject: Subject, report: Report) -> None:
    """Report what loading the configuration imports, and the callables that it binds."""
    for line in text.splitlines():
        plain = line.split("#", 1)[0]
        if (found := _IMPORT.match(plain)) is not None:
            _judge_import(found["module"] or found["package"], subject, report)
        elif (found := _INCLUDE.match(plain)) is not None and leads_outside(found[1]):
            report.found(
                "CONFIG-PATH",
                subject,
                f"The configuration includes {shown(found[1])}, outside the folder.",
                detail=shown(found[1], 200),
            )
        for bound in (*_REFERENCE.findall(plain), *_BOUND.findall(plain)):
            module, _, name = bound.rpartition(".")
            if module and (
                is_named_danger(bound) or judge(module, name).standing is Standing.DANGEROUS
            ):
                report.found(
                    "CONFIG-TARGET",
                    subject,
                    f"The configuration binds {shown(bound)}, which can do harm.",
                    severity=Severity.CRITICAL,
                    detail=shown(bound, 200),
                )


def _judge_import(module: str, subject: Subject, report: Report) -> None:
    top = module.split(".", 1)[0]
    if judge_module(module) is None and top in _KNOWN:
        return
    report.found(
        "CONFIG-IMPORT",
        subject,
        f"Loading the configuration imports {shown(module)}.",
        severity=Severity.CRITICAL if judge_module(module) is not None else None,
        detail=shown(module, 200),
    )
