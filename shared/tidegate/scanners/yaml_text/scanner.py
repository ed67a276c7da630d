"""The YAML scanner: tags of Python objects, and what conda and MLflow environments install."""

from __future__ import annotations

import re

from tidegate.scanners.callables import Standing, judge
from tidegate.scanners.hub_config import leads_outside
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.requirements import elsewhere, report_elsewhere, report_imitations
from tidegate.scanners.squatting import known_channels
from tidegate.scanners.streams import shown
from tidegate.scanners.text import read_text
from tidegate.scanners.yaml_text.listen import YamlTeller
from tidegate.scanners.yaml_text.tree import Mapping, Node, Scalar, Sequence, TreeError, read_tree
from tidegate.scanners.yaml_text.unfolding import Unfolding

_PYTHON_TAG = re.compile(r"python/|python2/|python3/|ruby/|java|^!?!?[a-z]+\.")
# HyperPyYAML, which SpeechBrain uses, and other loaders whose tags name what they call.
# Tags by which applications' own loaders run what stands behind them.
_RUNNING_TAG = re.compile(
    r"!(?:eval|exec(?:ute)?|pickle|unpickle|lambda|func(?:tion)?|fn|import|load|call|shell|sh|cmd"
    r"|command|bash|system|py|code|script|run|js|perl|php|object)(?:[/:].*)?\Z"
    r"|tag:yaml\.org,2002:(?:js|perl|php|ruby|java)",
    re.IGNORECASE,
)
_INCLUDING_TAG = re.compile(r"!(?:include|inc|file|path|read|import)\w*", re.IGNORECASE)
_NAMING_TAG = re.compile(r"!\w+:([\w.]+)\.(\w+)$")
_RAW_TAG = re.compile(r"(?:!!python|tag:yaml\.org,2002:python|!<[^>]*python)/")
_ENVIRONMENTS = re.compile(r"(?:conda|conda_env|environment|python_env|env)\.ya?ml", re.IGNORECASE)
_CHANNEL_FROM_ELSEWHERE = re.compile(r"://|^[./~\\]|^[a-zA-Z]:[\\/]")

_KNOWN_CHANNEL_ADDRESS = re.compile(r"https://repo\.anaconda\.com/pkgs/(?:main|r|msys2)/?")
_DECIDING_VARIABLE = re.compile(
    r"LD_\w+|DYLD_\w+|PYTHON(?:PATH|STARTUP|HOME|USERBASE|BREAKPOINT|INSPECT|WARNINGS)"
    r"|PATH|BASH_ENV|ENV|PERL5LIB|PERL5OPT|NODE_OPTIONS|PIP_\w+|UV_\w+|GIT_\w+|JAVA_TOOL_OPTIONS"
)


class YamlScanner(Scanner):
    """Reads YAML files."""

    name = "yaml"
    formats = frozenset({"yaml"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Look for tags, for what a loader would import or run, for packages from elsewhere."""
        from tidegate.scanners.template.scanner import report_in_text

        text = report_yaml(subject, report, dispatcher, named=True)
        if text is not None:
            report_in_text(text, subject, report)
        if text is not None and _ENVIRONMENTS.fullmatch(subject.name):
            _scan_environment(text, subject, report)


def report_yaml(
    subject: Subject, report: Report, dispatcher: Dispatcher, *, named: bool = False
) -> str | None:
    """Report tags and what the configuration asks for; the text, where it could be read."""
    from tidegate.scanners.json_text import ConfigJudge

    teller = YamlTeller(ConfigJudge(subject, report, dispatcher))
    text = report_tags(subject, report, named=named, teller=teller)
    if teller.too_deep:
        report.unread(subject, "a YAML text that nests too deep")
    return text


def report_tags(
    subject: Subject, report: Report, *, named: bool, teller: YamlTeller | None = None
) -> str | None:
    """Report each Python tag that a YAML parser would see; the text, where it could be read.

    A file that goes by the name of YAML (`named`) is also held to be YAML: where it can't be
    parsed it counts as unread, and a tag in the part that can't be parsed still counts.
    """
    import yaml

    text = read_text(subject, report)
    if text is None:
        return None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    seen, bomb = False, Unfolding()
    try:
        for event in yaml.parse(text, Loader=loader):
            if teller is not None:
                teller.take(event)
            bomb.take(event)
            tag = getattr(event, "tag", None)
            if not isinstance(tag, str):
                continue
            value = getattr(event, "value", "")
            if _INCLUDING_TAG.fullmatch(tag) and leads_outside(value):
                report.found(
                    "CONFIG-PATH",
                    subject,
                    f"The tag {shown(tag)} reads {shown(value)}, outside the folder.",
                    detail=shown(value, 200),
                )
            elif _PYTHON_TAG.search(tag) or _RUNNING_TAG.match(tag) or _names_danger(tag):
                seen = True
                report.found(
                    "YAML-TAG",
                    subject,
                    f"The tag {shown(tag)} builds an object when an unsafe loader reads it.",
                    offset=event.start_mark.index if event.start_mark else None,
                    detail=shown(tag, 200),
                )
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if not named:
            return text
        problem = getattr(error, "problem", None) or type(error).__name__
        report.unread(subject, f"named as YAML, and is none: {shown(str(problem))}")
        if not seen and (raw := _RAW_TAG.search(text)) is not None:
            report.found(
                "YAML-TAG",
                subject,
                "A tag that builds Python objects stands in a file that is no valid YAML.",
                offset=raw.start(),
            )
        return None
    finally:
        if (why := bomb.problem) is not None:
            report.found("YAML-EXHAUST", subject, f"The YAML {why}.")
    return text


def _names_danger(tag: str) -> bool:
    """Whether a local tag makes its loader call a dangerous function: `!new:os.system`."""
    named = _NAMING_TAG.match(tag)
    return named is not None and judge(named[1], named[2]).standing is Standing.DANGEROUS


def _scan_environment(text: str, subject: Subject, report: Report) -> None:
    try:
        root = read_tree(text)
    except TreeError as problem:
        report.unread(subject, f"no plain environment file: {problem}")
        return
    if not isinstance(root, Mapping):
        return
    for key in ("channels", "dependencies", "build_dependencies"):
        entries = root.get(key)
        for entry in entries.items if isinstance(entries, Sequence) else ():
            _check_entry(key, entry, subject, report)
    variables = root.get("variables")
    for name in variables.items if isinstance(variables, Mapping) else ():
        if _DECIDING_VARIABLE.fullmatch(name):
            report.found(
                "REQUIREMENTS-ELSEWHERE",
                subject,
                f"The environment sets {shown(name)}, which decides what code programs load.",
                detail=shown(name, 200),
            )


def _is_strange_channel(channel: str) -> bool:
    """Whether a channel is an address, or one that anybody could have opened."""
    if _CHANNEL_FROM_ELSEWHERE.search(channel):
        return not _KNOWN_CHANNEL_ADDRESS.fullmatch(channel)
    return channel.strip().lower().split("/label/")[0] not in known_channels()


def _check_entry(key: str, entry: Node, subject: Subject, report: Report) -> None:
    if isinstance(entry, Mapping):
        for inner in entry.items.values():
            lines = [
                item.text
                for item in (inner.items if isinstance(inner, Sequence) else ())
                if isinstance(item, Scalar)
            ]
            report_elsewhere(lines, subject, report)
    elif isinstance(entry, Scalar):
        channel, both, package = entry.text.rpartition("::")
        if key == "channels":
            away = _is_strange_channel(entry.text)
        else:
            away = (
                elsewhere(package) is not None
                or "://" in entry.text
                or bool(both and _is_strange_channel(channel))
            )
            report_imitations([package], subject, report)
        if away:
            report.found(
                "REQUIREMENTS-ELSEWHERE",
                subject,
                f"The entry under {key} points away from the package index: {shown(entry.text)}",
                detail=shown(entry.text, 200),
            )
