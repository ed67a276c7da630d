"""The list of scanners is whole, imports nothing early, and names its rules by their content."""

from __future__ import annotations

import subprocess
import sys

from tidegate.artifact.formats import Format
from tidegate.scanners import registry
from tidegate.scanners.rules import rules


def test_every_scanner_reads_the_formats_it_is_asked_for():
    for fmt in Format:
        scanner = registry.scanner_for(fmt)
        if scanner is not None:
            assert fmt.value in scanner.formats


def test_every_format_of_a_scanner_leads_to_it():
    for name in registry._HOMES:
        for fmt in registry.scanner_named(name).formats:
            assert registry.scanner_for(Format(fmt)) is registry.scanner_named(name)


def test_no_format_is_inert_and_has_a_reader():
    assert not any(registry.scanner_for(fmt) for fmt in registry.INERT)


def test_the_ruleset_changes_with_any_data_file(monkeypatch):
    before = registry.ruleset_version()
    original = registry._walk

    def with_one_more(entries):
        return [*original(entries), ("scanners/data/new.json", _File(b"{}"))]

    monkeypatch.setattr(registry, "_walk", with_one_more)
    registry.ruleset_version.cache_clear()
    assert registry.ruleset_version() != before
    registry.ruleset_version.cache_clear()


class _File:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read_bytes(self) -> bytes:
        return self._content


def test_the_ruleset_covers_rules_and_readers():
    from importlib.resources import files

    walked = {path for path, _ in registry._walk((("scanners", files("tidegate.scanners")),))}
    assert {"scanners/data/rules/pickle.json", "scanners/zip/directory.py"} <= walked


def test_importing_the_registry_imports_no_reader():
    code = (
        "import sys, tidegate.scanners.registry as r; r.ruleset_version();"
        "bad = {m for m in sys.modules if m.startswith(('yaml', 'picklescan', 'numpy',"
        " 'tidegate.scanners.zip', 'tidegate.scanners.pickle'))};"
        "print(sorted(bad)); sys.exit(bool(bad))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_after_preload_nothing_more_is_imported_to_scan():
    code = """
import io, sys, zlib, json
sys.path[:0] = sys.argv[1:]
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.tensors import torch_legacy, torch_pickle, torch_zip
from samples.mlflow_models import mlmodel
from samples.scanned import scanned
from tidegate.scanners import registry
texts = mlmodel()
registry.preload()
before = set(sys.modules)
for data, name in [(HARMFUL_PICKLE, 'a'), (torch_legacy(torch_pickle(), []), 'b'),
        (torch_zip(torch_pickle(), [b'1234']), 'c'), (texts, 'MLmodel'),
        (zlib.compress(b'x' * 99), 'd'), (b'a: 1', 'conda.yaml'), ('a'.encode('utf-16'), 'e'),
        (plain_zip({'schema.json': b'{}', 'a.npy': b'x'}), 'f'), (b'x', 'a.py'),
        (b'\\x93NUMPY\\1\\0\\2\\0{}', 'g'), (b'{' * 50, 'h.safetensors'),
        (b'-e .', 'requirements.txt')]:
    scanned(data, name)
late = set(sys.modules) - before
print(sorted(late)); sys.exit(bool(late))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *sys.path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_that_a_reader_names_stands_in_the_table():
    import re
    from importlib.resources import files

    named = set()
    for path, entry in registry._walk((("scanners", files("tidegate.scanners")),)):
        if path.endswith(".py"):
            named |= set(
                re.findall(
                    r'"((?:ZIP|TORCH|SAFETENSORS|NUMPY|SKOPS|MLMODEL|YAML|CODE|REQUIREMENTS)'
                    r'-[A-Z-]+)"',
                    entry.read_text("utf-8"),
                )
            )
    assert named
    assert named <= set(rules())
