"""Spark ML's metadata: the class that loading a stage makes, and the SQL that a stage runs.

`DefaultParamsReader` of `pyspark.ml.util` imports the module of the class that the file
`metadata/part-00000` names, and Spark's own loader makes it in Java; so only Spark's own classes
pass. Spark SQL calls any static Java method (`reflect`) and runs any command (`TRANSFORM … USING`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.streams import shown
from tidegate.scanners.tables import read_table

KEYS = frozenset({"class", "uid", "sparkVersion", "timestamp", "paramMap", "statement",
                  "pythonClass"})  # fmt: skip
_SQL = re.compile(
    r"\b(?:reflect|java_method|try_reflect|input_file_name|read_files)\s*\(|\busing\s+['\"]"
    r"|\badd\s+(?:jar|file|archive)\b|\bcreate\s+(?:temporary\s+)?function\b",
    re.IGNORECASE,
)
_PREFIXES = ("org.apache.spark.ml.", "pyspark.ml.")


@cache
def _known() -> frozenset[str]:
    table = read_table("spark_classes.json")
    own = (f"{prefix}{name}" for prefix in _PREFIXES for name in table["spark"])
    pipelines = ("pyspark.ml.pipeline.Pipeline", "pyspark.ml.pipeline.PipelineModel")
    return frozenset((*own, *pipelines, *table["others"]))


def judge_spark(pairs: list[tuple[str, Any]], subject: Subject, report: Report) -> None:
    """Judge one JSON object, if it is a stage's metadata or a stage's parameters."""
    keys = {key for key, _ in pairs}
    is_stage = "class" in keys and "uid" in keys and keys & {"sparkVersion", "paramMap"}
    for key, value in pairs:
        named = (is_stage and key == "class") or key == "pythonClass"
        if named and not (isinstance(value, str) and value in _known()):
            report.found(
                "SPARK-CLASS",
                subject,
                f"Loading the stage makes {shown(str(value))}, which is none of Spark's own.",
                detail=shown(str(value), 200),
            )
        if key == "statement" and isinstance(value, str) and (found := _SQL.search(value)):
            report.found(
                "SPARK-SQL",
                subject,
                f"The stage's SQL calls out of the data: {shown(found[0])}.",
                detail=shown(found[0]),
            )
