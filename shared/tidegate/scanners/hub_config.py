"""Configurations of model folders, whose loaders fetch, import or call what they name.

Each function here judges one object of a configuration, JSON or YAML, by its keys, whatever
its file is called:

- transformers: `auto_map` into another repository, attention kernels fetched from the hub, and
  the lists of weight files;
- PEFT: the library of an adapter's parallel layers;
- sentence-transformers: the types of modules.json and of routers, activations, tokenizers;
- Hydra (`_target_`), Lightning (`class_path`), LangChain (`lc` constructors, `_type`),
  jsonpickle (`py/object`);
- anybody: a value that is a command, or a function of Python's own that runs what it is given.

What a name may be stands in `data/hub_classes.json`; a callable that the pickle lists hold to be
dangerous is critical here as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from tidegate.scanners.callables import (
    Standing,
    dangerous_callables,
    is_standard_library,
    judge,
)
from tidegate.scanners.interface import Report, Severity, Subject
from tidegate.scanners.json_stream import Pairs
from tidegate.scanners.streams import shown
from tidegate.scanners.tables import read_table

WATCHED = frozenset(
    {"_target_", "class_path", "lc", "id", "_type", "type", "activation_fn", "activation_function",
     "tokenizer_class", "attn_implementation", "_attn_implementation", "experts_implementation",
     "_attn_implementation_internal", "template_format", "template",
     "megatron_core",
     "sbert_ce_default_activation_function", "py/reduce", "py/repr", "py/newargs", "py/newargsex",
     "py/initargs", "py/object", "py/type", "py/function", "py/class", "py/ref",
     "implementation", "module", "module_name", "__module__", "package", "library", "module_path"}
)  # fmt: skip
"""Keys that are kept of every object, however large."""

_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_ACTIVATIONS = ("activation_fn", "activation_function", "sbert_ce_default_activation_function")
_KERNELS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal",
            "experts_implementation")  # fmt: skip
# As transformers tells a kernel that it fetches from the hub.
_HUB_KERNEL = re.compile(r"(?:[^|]*\|)?[^/:|]+/[^/:|]+(?:@[^/:]+)?(?::[^/:]+)?")
_OUTSIDE = re.compile(r"^[/\\~]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|://|^\\\\")
_ROUTERS = frozenset({"router_config.json", "config.json"})
# An expression as a value, for a loader that evaluates it. Texts about code begin otherwise.
_EXPRESSION = re.compile(
    r"__import__\s*\(\s*['\"]|^\s*(?:(?:os\.(?:system|popen|exec[lv]\w*)|eval|exec"
    r"|subprocess\.\w+|importlib\.import_module|pickle\.loads|builtins\.\w+)\s*\()"
)
_LONGEST_EXPRESSION = 2000
# A script in one line, or a command line that fetches, deletes or opens a way in.
_COMMAND = re.compile(
    r"\bimport\s+(?:os|pty|socket|subprocess)\s*[;\n][^\0]{0,500}?"
    r"\b(?:os\.(?:system|popen|exec[lv]\w*)|pty\.spawn|socket\.socket|subprocess\.\w+)\s*\("
    r"|\b(?:curl|wget)\s[^|\n]{1,300}\|\s*(?:sudo\s+)?(?:/bin/)?(?:ba|da|k|z)?sh\b"
    r"|^\s*(?:sudo\s+)?rm\s+-(?:rf|fr|r\s+-f)\s+(?:--\S+\s+)*[/~*.$]"
    r"|/dev/tcp/[\w.-]+/\d|\bnc(?:at)?\s+-\w*e\w*\s|\bpowershell(?:\.exe)?\s+(?:-\w+\s+)*-e\w*\s",
    re.IGNORECASE,
)
_LONGEST_COMMAND = 1000
_WORD_LISTS = frozenset(
    {"vocab", "vocabulary", "merges", "tokens", "added_tokens", "cells", "data", "inputs",
     "instances", "dataframe_split", "dataframe_records"}
)  # fmt: skip
"""Keys under which words and rows of data stand, such as MLflow's input examples."""
_FILE_KEYS = frozenset(
    {"tokenizer_file", "vocab_file", "merges_file", "spm_file", "sp_model_file", "weights_file",
     "config_file", "modeling_file"}
)  # fmt: skip
_READ_FROM = frozenset(
    {"template_path", "prefix_path", "suffix_path", "example_prompt_path", "examples_path",
     "prompt_path", "llm_path", "llm_chain_path", "chain_path", "combine_documents_chain_path",
     "_base_", "base_config", "archive_file", "searchpath"}
)  # fmt: skip
"""Keys under which LangChain, OpenMMLab, AllenNLP and Hydra read or run a file of their choice."""

_IMPORTED = frozenset({"user_dir", "include_package", "include_packages"})
"""Keys whose value fairseq and AllenNLP import."""

_OWNERS = ("module", "module_name", "__module__", "package", "library", "module_path")
_OWNED = ("name", "class", "class_name", "__class__", "function", "function_name", "func", "attr",
          "callable", "object", "qualname", "__qualname__", "method")  # fmt: skip
_CLASS_KEYS = frozenset({"$type", "@type", "@class"})
_REACHING_FORMAT = re.compile(r"\{[\w.\[\]]{0,80}[.\[]__\w+__")
_ENTRY_POINT = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)", re.ASCII)
# Types of .NET and Java that run commands or fetch code when a serialiser makes them.
_ACTING_CLASSES = re.compile(
    r"\b(?:ObjectDataProvider|AssemblyInstaller|System\.Diagnostics\.Process|PSObject"
    r"|WindowsIdentity|TextFormattingRunProperties|ExpandedWrapper|LosFormatter"
    r"|JdbcRowSetImpl|TemplatesImpl|ScriptEngineManager|JndiDataSource\w*|BasicDataSource"
    r"|PropertyPathFactoryBean|JndiConverter|ClassPathXmlApplicationContext|MethodInvokingFactoryBean"
    r"|InvokerTransformer|InstantiateTransformer|URLClassLoader|ProcessBuilder|C3P0\w*DataSource)\b"
)
_MOST_OWNERS = 8
_UPWARDS = re.compile(r"(?:^|[/\\])\.\.[/\\]")
_RUNNING = frozenset({"process", "code", "import", "unpickle", "native"})
_RUNNING_MODULES = frozenset({"_posixsubprocess", "ctypes", "nt", "posix", "pty", "subprocess"})
_JSON_PICKLE_CALLS = frozenset(
    {"py/reduce", "py/repr", "py/newargs", "py/newargsex", "py/initargs"}
)
_JSON_PICKLE_NAMES = frozenset({"py/object", "py/type", "py/function", "py/class", "py/ref"})
_PLACES = frozenset({"weight_map", "all_checkpoint_keys"})


@dataclass(frozen=True, slots=True)
class _Names:
    """Dotted names: those of the list, and the classes of its modules."""

    exact: frozenset[str]
    modules: frozenset[str]

    def __contains__(self, name: str) -> bool:
        module, _, last = name.rpartition(".")
        return name in self.exact or (module in self.modules and last[:1].isupper())


@cache
def _table() -> dict[str, list[str]]:
    table: dict[str, list[str]] = read_table("hub_classes.json")
    return table


@cache
def _names(table: str) -> _Names:
    rows = _table()[table]
    modules = frozenset(row[:-2] for row in rows if row.endswith(".*"))
    return _Names(frozenset(rows) - modules, modules)


def judge_names(pairs: Pairs, subject: Subject, report: Report) -> None:
    """Report what one object asks its loader to fetch, import or call."""
    keys = {key for key, _ in pairs}
    for key in keys.intersection(("_target_", "class_path")):
        for value in _texts(pairs, key):
            if key == "_target_" or _DOTTED.fullmatch(value):
                _judge_target(key, value, subject, report)
    if any(key.startswith("py/") for key in keys):
        _judge_json_pickle(pairs, subject, report)
    if "lc" in keys:
        _judge_constructor(pairs, subject, report)
    for value in _texts(pairs, "_type"):
        if value in _table()["acting_types"]:
            message = f"The configuration's _type {shown(value)} runs commands, code or requests."
            report.found("CONFIG-TARGET", subject, message, detail=shown(value))
    for key in keys.intersection(_ACTIVATIONS):
        for value in _texts(pairs, key):
            if "." in value and value not in _names("activations"):
                _imported(f"The activation {shown(value)} is imported.", value, subject, report)
    if not {"class_name", "config"} <= keys:
        # Such an object is Keras', and judged as one.
        _judge_pairs_of_names(pairs, subject, report)
    for value in _texts(pairs, "implementation"):
        if subject.name.lower() == "model-settings.json" and not value.startswith("mlserver"):
            _imported(f"MLServer imports {shown(value)}.", value, subject, report)
    for value in _texts(pairs, "tokenizer_class"):
        if "." in value and value not in _names("sentence_transformers"):
            _imported(f"The tokenizer class {shown(value)} is imported.", value, subject, report)
    for value in _texts(pairs, "megatron_core"):
        if value != "megatron.core":
            _imported(f"The adapter's {shown(value)} is imported.", value, subject, report)
    for key in keys.intersection(_KERNELS):
        for value in _texts(pairs, key):
            if _HUB_KERNEL.fullmatch(value):
                report.found(
                    "CONFIG-REMOTE-REPOSITORY",
                    subject,
                    f"The configuration's {key} fetches native code from {shown(value)}.",
                    detail=shown(value, 200),
                )


def judge_text(text: str, keys: tuple[str, ...], subject: Subject, report: Report) -> None:
    """Report what a text means by itself, and by the keys that lead to it."""
    if "(" in text and len(text) <= _LONGEST_EXPRESSION and _EXPRESSION.search(text):
        report.found(
            "CONFIG-CODE",
            subject,
            f"A value of the configuration is code that reaches for commands: {shown(text)}",
            detail=shown(text, 200),
        )
    if not _WORD_LISTS.intersection(keys):
        _judge_value(text, keys, subject, report)
    last = keys[-1].lower() if keys else ""
    if last in _IMPORTED and text.strip():
        _imported(f"What {shown(last)} names, {shown(text)}, is imported.", text, subject, report)
    if last == "template" and _REACHING_FORMAT.search(text):
        report.found(
            "CONFIG-CODE",
            subject,
            f"A template steps into what it is given: {shown(text)}",
            detail=shown(text, 200),
        )
    if _ACTING_CLASSES.search(text) and (last in _CLASS_KEYS or _is_class_name(text)):
        report.found(
            "CONFIG-TARGET",
            subject,
            f"The configuration makes an object of {shown(text)}, which runs code when it is made.",
            severity=Severity.CRITICAL,
            detail=shown(text, 200),
        )
    if "auto_map" in keys or "custom_pipelines" in keys:
        if "--" in text or "://" in text:
            report.found(
                "CONFIG-REMOTE-REPOSITORY",
                subject,
                f"The class {shown(text)} is fetched from another repository.",
                detail=shown(text, 200),
            )
    elif keys[:-1] == ("types",) and subject.name.lower() in _ROUTERS:
        # A router of sentence-transformers, whose parts' types are imported.
        if _DOTTED.fullmatch(text) and text not in _names("sentence_transformers"):
            _imported(f"The router names {shown(text)}, which is imported.", text, subject, report)
    elif (_PLACES.intersection(keys) and _OUTSIDE.search(text)) or (
        (keys and keys[-1] in _FILE_KEYS and _UPWARDS.search(text))
        or (last in _READ_FROM and (_OUTSIDE.search(text) or text.lower().endswith(".py")))
    ):
        report.found(
            "CONFIG-PATH",
            subject,
            f"What {shown(keys[-1])} names is taken from {shown(text)}, outside the folder.",
            detail=shown(text, 200),
        )


def _is_class_name(text: str) -> bool:
    return re.fullmatch(r"[a-z][\w$]*(?:\.[\w$]+){2,12}", text, re.IGNORECASE) is not None


def _judge_value(text: str, keys: tuple[str, ...], subject: Subject, report: Report) -> None:
    """A command, or nothing but the name of a function that runs commands or code.

    Loaders without number call what a configuration names (`target`, `callback`, `py/object`).
    """
    if " " in text and len(text) <= _LONGEST_COMMAND and _COMMAND.search(text):
        report.found(
            "CONFIG-CODE",
            subject,
            f"A value of the configuration is a command: {shown(text)}",
            detail=shown(text, 200),
        )
        return
    entry = _ENTRY_POINT.fullmatch(text)
    name = text if entry is None else f"{entry[1]}.{entry[2]}"
    if _DOTTED.fullmatch(name) and is_named_danger(name):
        under = f" under {shown(keys[-1])}" if keys else ""
        report.found(
            "CONFIG-TARGET",
            subject,
            f"The configuration names {shown(text)}{under}, which runs what it is given.",
            severity=Severity.CRITICAL,
            detail=shown(text, 200),
        )


def _judge_pairs_of_names(pairs: Pairs, subject: Subject, report: Report) -> None:
    """A module under one key and what of it to take under another: {"module": …, "name": …}."""
    owners = [module for key in _OWNERS for module in _texts(pairs, key)]
    for module in owners if len(owners) <= _MOST_OWNERS else ():
        for name in (name for key in _OWNED for name in _texts(pairs, key)):
            path = f"{module}.{name}"
            if _DOTTED.fullmatch(path) and (
                is_named_danger(path) or (is_named_danger(name) and "." in name)
            ):
                report.found(
                    "CONFIG-TARGET",
                    subject,
                    f"The configuration names {shown(path)}, which runs what it is given.",
                    severity=Severity.CRITICAL,
                    detail=shown(path, 200),
                )


def leads_outside(path: str) -> bool:
    """Whether a path of a configuration leads out of its folder, or to another machine."""
    return _OUTSIDE.search(path) is not None


def is_named_danger(name: str) -> bool:
    """Whether a dotted name is exactly a function of Python's own that runs commands or code."""
    top = name.split(".", 1)[0]
    if top in _RUNNING_MODULES:
        return True
    return is_standard_library(top) and any(
        name == path and judgement.reach in _RUNNING
        for path, _, judgement in dangerous_callables(top)
    )


def _judge_json_pickle(pairs: Pairs, subject: Subject, report: Report) -> None:
    """Report what jsonpickle imports and calls, which is what stands under its own keys."""
    for key, value in pairs:
        if key in _JSON_PICKLE_CALLS and value:
            what = f"The key {key} makes jsonpickle call what it names."
            report.found("CONFIG-TARGET", subject, what, detail=key)
        elif key in _JSON_PICKLE_NAMES and isinstance(value, str):
            module, _, last = value.rpartition(".")
            if judge(module, last).standing is not Standing.ALLOWED:
                what = f"jsonpickle imports {shown(value)}, which nobody has listed."
                report.found("CONFIG-TARGET", subject, what, detail=shown(value, 200))


def judge_module_list(pairs: Pairs, subject: Subject, report: Report) -> None:
    """One module of sentence-transformers' modules.json: its type is imported, its path joined."""
    for kind in _texts(pairs, "type"):
        if "." in kind and kind not in _names("sentence_transformers"):
            what = f"The module list names {shown(kind)}, which is imported."
            _imported(what, kind, subject, report)
    if any("." in kind for kind in _texts(pairs, "type")):
        for path in _texts(pairs, "path"):
            if _OUTSIDE.search(path):
                what = f"A module is taken from {shown(path)}, outside the folder."
                report.found("CONFIG-PATH", subject, what, detail=shown(path, 200))


def is_pipeline_module(library: str) -> bool:
    """Whether diffusers takes the name for one of its own pipelines' modules."""
    return library in _table()["diffusers_pipelines"]


def _judge_target(key: str, name: str, subject: Subject, report: Report) -> None:
    module, _, last = name.rpartition(".")
    standing = judge(module, last).standing if _DOTTED.fullmatch(name) else Standing.UNLISTED
    if standing is Standing.DANGEROUS:
        message = f"The configuration's {key} calls {shown(name)}, which can do harm."
        severity: Severity | None = Severity.CRITICAL
    elif name in _names("targets"):
        return
    else:
        message = f"The configuration's {key} calls {shown(name)}, which nobody has listed."
        severity = None
    report.found("CONFIG-TARGET", subject, message, severity=severity, detail=shown(name, 200))


def _judge_constructor(pairs: Pairs, subject: Subject, report: Report) -> None:
    kinds = set(_texts(pairs, "type"))
    for place in (value for key, value in pairs if key == "id" and isinstance(value, list)):
        root = place[0] if place and isinstance(place[0], str) else ""
        known = root.split(".")[0] in _table()["constructor_roots"]
        if "constructor" in kinds and not known:
            name = ".".join(str(part) for part in place)
            message = f"The configuration makes an object of {shown(name)}, from no known package."
            report.found("CONFIG-TARGET", subject, message, detail=shown(name, 200))


def _imported(message: str, name: str, subject: Subject, report: Report) -> None:
    report.found("CONFIG-IMPORT", subject, message, detail=shown(name, 200))


def _texts(pairs: Pairs, wanted: str) -> Iterable[str]:
    return [value for key, value in pairs if key == wanted and isinstance(value, str)]
