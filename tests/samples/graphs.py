"""Steps that draw a small graph, written as lines: `data.csv + base -> train -> model`.

A name with a dot is a single file, one with braces a folder of these files (`m{a.bin,LICENSE}`),
any other a folder of one file of its own. The content of a file follows from its name, or from what
stands behind a colon (`copy.bin:a.bin` has the content of `a.bin`).
"""

from __future__ import annotations

import hashlib
import re

from samples.ledger_records import a_file, a_step

from tidegate.artifact.manifest import FileEntry, Manifest
from tidegate.attestation.step import Material, Step, material
from tidegate.ledger import Ledger

_FOLDER = re.compile(r"([^{]+)\{(.*)\}")


def artifact(text: str) -> Manifest:
    """The manifest that a name stands for."""
    if found := _FOLDER.fullmatch(text):
        return Manifest("folder", tuple(_entry(each) for each in sorted(found[2].split(","))))
    name, _, content = text.partition(":")
    if "." in name:
        return a_file(name, content or name)
    return Manifest("folder", (_entry(f"own-{text}.txt"),))


def _entry(text: str) -> FileEntry:
    name, _, content = text.partition(":")
    content = content or name
    return FileEntry(name, len(content), hashlib.sha256(content.encode()).hexdigest())


def step_id(name: str) -> str:
    return f"step:{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def draw(ledger: Ledger, *lines: str) -> None:
    """Record a step for each line."""
    for line in lines:
        ledger.record_step(step(line))


def step(line: str) -> Step:
    inputs, name, outputs = (part.strip() for part in line.split("->"))
    return a_step(
        id=step_id(name), name=name, inputs=_materials(inputs, "data"),
        outputs=_materials(outputs, "output"),
    )  # fmt: skip


def _materials(text: str, role: str) -> tuple[Material, ...]:
    names = [each.strip() for each in text.split("+") if each.strip()]
    found = []
    for name in names:
        title = name.partition("{")[0].partition(":")[0]
        as_role = "base" if role == "data" and title.startswith("base") else role
        found.append(material(title, as_role, artifact(name)))
    return tuple(found)


def node(text: str) -> str:
    """The node of an artifact, or of a step by its name with an exclamation mark."""
    return step_id(text[1:]) if text.startswith("!") else artifact(text).digest
