"""The list of scanners is whole, imports nothing early, and names its rules by their content."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

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


def test_the_ruleset_changes_with_any_data_file(tmp_path, monkeypatch):
    before = registry.ruleset_version()
    shutil.copytree(registry._PACKAGE, tmp_path / "tidegate")
    monkeypatch.setattr(registry, "_PACKAGE", str(tmp_path / "tidegate"))
    registry.ruleset_version.cache_clear()
    assert registry.ruleset_version() == before
    (tmp_path / "tidegate/scanners/data/new.json").write_text("{}")
    registry.ruleset_version.cache_clear()
    assert registry.ruleset_version() != before
    registry.ruleset_version.cache_clear()


def test_the_ruleset_covers_rules_and_readers():
    covered = set(registry.ruleset_files())
    assert {
        "artifact/formats/magic.py",
        "scanners/data/rules/pickle.json",
        "scanners/zip/directory.py",
    } <= covered


def test_importing_the_registry_imports_no_reader():
    code = (
        "import sys, tidegate.scanners.registry as r; r.ruleset_version();"
        "bad = {m for m in sys.modules if m.startswith(('yaml', 'picklescan', 'numpy',"
        " 'importlib.metadata', 'tidegate.scanners.zip', 'tidegate.scanners.pickle'))};"
        "print(sorted(bad)); sys.exit(bool(bad))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_that_a_reader_names_stands_in_the_table():
    package = Path(registry._PACKAGE)
    sources = [package / path for path in registry.ruleset_files() if path.endswith(".py")]
    named = {
        rule
        for source in sources
        for rule in re.findall(r'found\(\s*"([A-Z][A-Z0-9-]+)"', source.read_text("utf-8"))
    }
    assert len(named) > 20
    assert named <= set(rules())


def test_every_rule_says_what_it_means_how_to_mend_it_and_where_it_is_catalogued():
    for rule in rules().values():
        assert rule.title, rule.id
        assert len(rule.description) > 20, rule.id
        assert len(rule.remediation) > 15, rule.id
        assert all(re.fullmatch(r"CWE-[0-9]+", name) for name in rule.cwe), rule.id
        assert rule.cwe, rule.id
        assert any(re.fullmatch(r"AML\.T[0-9]{4}(\.[0-9]{3})?", name) for name in rule.attack), (
            rule.id
        )
