"""The modules and classes that MLflow imports because a model's file names them.

Always holds: what is known stands in `data/mlflow_loaders.json`; anything else is held, as
importing a module runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.streams import shown
from tidegate.scanners.tables import read_table


@dataclass(frozen=True, slots=True)
class KnownLoaders:
    """The names that are known, by what MLflow takes them for."""

    loader_modules: frozenset[str]
    not_listed: tuple[tuple[str, str], ...]
    keras_modules: frozenset[str]
    pickle_modules: frozenset[str]
    model_classes: frozenset[str]

    def why_not(self, module: str) -> str | None:
        """Why a flavor of MLflow's own is not among the known loaders."""
        return dict(self.not_listed).get(module)


@cache
def known_loaders() -> KnownLoaders:
    """The table, read once."""
    table = read_table("mlflow_loaders.json")
    return KnownLoaders(
        loader_modules=frozenset(table["loader_modules"]),
        not_listed=tuple(sorted(table["not_listed"].items())),
        keras_modules=frozenset(table["keras_modules"]),
        pickle_modules=frozenset(table["pickle_modules"]),
        model_classes=frozenset(table["model_classes"]),
    )


def check_module(
    module: str, what: str, known: frozenset[str], subject: Subject, report: Report
) -> None:
    """Report a module that gets imported, unless it is known."""
    if module in known:
        return
    from tidegate.scanners.callables import Standing, judge

    why = known_loaders().why_not(module)
    if why is not None:
        report.found(
            "MLMODEL-LOADER-UNKNOWN",
            subject,
            f"The {what} {shown(module)} {why}.",
            detail=module,
        )
        return
    standing = judge(module, "_load_pyfunc").standing
    if standing in {Standing.DANGEROUS, Standing.ALLOWED} or _is_standard_library(module):
        report.found(
            "MLMODEL-LOADER-DANGEROUS",
            subject,
            f"Loading the model imports {shown(module)} as its {what}.",
            detail=shown(module, 200),
        )
        return
    report.found(
        "MLMODEL-LOADER-UNKNOWN",
        subject,
        f"Loading the model imports {shown(module)} as its {what}, which is not one of MLflow's.",
        detail=shown(module, 200),
    )


def check_class(qualified: str, what: str, subject: Subject, report: Report) -> None:
    """Report a class that gets imported and instantiated, unless it is known."""
    if qualified in known_loaders().model_classes:
        return
    from tidegate.scanners.callables import Standing, Use, judge

    module, _, name = qualified.rpartition(".")
    judgement = judge(module, name)
    if judgement.standing is Standing.ALLOWED and judgement.use >= Use.CALL:
        return
    dangerous = judgement.standing is Standing.DANGEROUS
    report.found(
        "MLMODEL-LOADER-DANGEROUS" if dangerous else "MLMODEL-LOADER-UNKNOWN",
        subject,
        f"Loading the model imports and calls {shown(qualified)} as its {what}.",
        detail=shown(qualified, 200),
    )


def _is_standard_library(module: str) -> bool:
    """Whether the callables' lists know the module as the standard library's."""
    from tidegate.scanners.callables import Standing, judge

    judgement = judge(module, "_load_pyfunc")
    return judgement.standing is Standing.UNLISTED and "standard library" in judgement.reason
