"""spaCy's config.cfg: the functions that a pipeline is put together from.

spaCy looks every name that stands behind an `@registry`, and every component's `factory`, up among
the registered functions. Its own (data/spacy.json, collected from the installed spaCy) build parts
of a model; any other needs code that somebody brings along. A component with a `source` is taken
from another model, by its path or package.

Always holds: of a text that looks like such a configuration, every line counts, whatever section
it stands in and however its value is quoted.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

from tidegate.scanners.interface import Report, Subject, iter_stream
from tidegate.scanners.streams import shown

_HINT = re.compile(
    rb"^[ \t]*@[a-z_]{1,40}[ \t]*=|^\[components|[\"']@[a-z_]{1,40}[\"'][ \t]*:", re.M
)
_REFERENCE = re.compile(r"@(\w{1,40})[\"']?[ \t]*[:=][ \t]*[\"']?([^\"'\s,}\]]{1,200})")
_SETTING = re.compile(
    r"^[ \t]*(factory|source|lang|trust_remote_code)[ \t]*=[ \t]*(.{1,300})$", re.MULTILINE
)
_SECTION = re.compile(r"^\[(?:nlp|components)\b", re.MULTILINE)
_OF_A_LANGUAGE = re.compile(r"[a-z]{2,3}\.")
_LANGUAGE = re.compile(r"[a-z]{2,3}|\$\{[\w.]+\}")
_OVERLAP = 1024


@cache
def _names() -> dict[str, frozenset[str]]:
    text = files("tidegate.scanners").joinpath("data/spacy.json").read_text("utf-8")
    # spaCy looks an older name up among those of spacy-legacy, under spaCy's own prefix.
    return {
        kind: frozenset([*names, *(name.replace("spacy-legacy.", "spacy.", 1) for name in names)])
        for kind, names in json.loads(text)["names"].items()
    }


def may_be_pipeline(text: bytes) -> bool:
    """Whether a piece of text has something that makes it worth reading as a configuration."""
    return (b"@" in text or b"[components" in text) and _HINT.search(text) is not None


def report_config(subject: Subject, report: Report) -> None:
    """Judge the subject, a text in which `may_be_pipeline` saw something."""
    subject.stream.seek(0)
    before, is_config = "", False
    kept: list[tuple[str, str]] = []
    for chunk in iter_stream(subject.stream):
        text = before + chunk.decode("utf-8", errors="replace").replace("\r", "\n")
        is_config = is_config or _SECTION.search(text) is not None
        kept += _REFERENCE.findall(text) + _SETTING.findall(text)
        before = text[-_OVERLAP:]
    # Other texts mention names behind an @ as well; there, only those of spaCy's registries count.
    for kind, value in dict.fromkeys(kept):
        if is_config or kind in _names().keys() - {"any"}:
            _judge(kind, value.strip().strip("\"'"), subject, report, certain=is_config)


def _judge(kind: str, value: str, subject: Subject, report: Report, *, certain: bool) -> None:
    names = _names()
    if value in {"null", "None", ""}:
        return
    if kind == "source":
        report.found(
            "SPACY-SOURCE",
            subject,
            f"A component is loaded from another model, {shown(value)}.",
            detail=shown(value, 200),
        )
    elif kind == "lang":
        # spaCy imports the module of that name below its own languages.
        if certain and _LANGUAGE.fullmatch(value) is None:
            _unknown("lang", value, subject, report)
    elif kind == "trust_remote_code":
        if value.lower() == "true":
            _unknown("trust_remote_code", "the code of a model on the hub", subject, report)
    elif kind == "factory":
        plain = _OF_A_LANGUAGE.sub("", value, count=1)
        if certain and not {value, plain} & names["factories"]:
            _unknown("factory", value, subject, report)
    elif (certain or "." in value) and not (kind in names and value in names[kind] | names["any"]):
        _unknown(kind, value, subject, report)


def _unknown(kind: str, value: str, subject: Subject, report: Report) -> None:
    report.found(
        "SPACY-UNREVIEWED-CODE",
        subject,
        f"The pipeline needs {shown(value)} ({shown(kind)}), code that is none of spaCy's own.",
        detail=shown(value, 200),
    )
