"""The guide names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from tidegate.cli.app import app
from tidegate.ledger.tokens import Scope

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "remote-ledger.md").read_text()


def test_every_path_of_the_api_is_in_the_guide(console) -> None:
    paths = console.ask("GET", "/openapi.json")[1]["paths"]
    section = GUIDE[GUIDE.index("## The API") :]
    missing = [path for path in paths if path.rpartition("/")[2] not in section]
    assert missing == []


def test_every_command_in_the_guide_is_one(monkeypatch) -> None:
    blocks = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    commands = [line.removeprefix("$ tidegate ").split() for line in lines if "$ tidegate" in line]
    assert len(commands) > 6
    for words in commands:
        group = []
        for word in words:
            if not word.isidentifier() or len(group) == 3:
                break
            group.append(word)
        while group:
            found = CliRunner().invoke(app, [*group, "--help"])
            if found.exit_code == 0:
                break
            group.pop()
        assert group, words
        options = [word for word in words if word.startswith("--")]
        assert all(option in found.output for option in options), words


def test_every_scope_is_in_the_guide() -> None:
    assert all(f"| `{scope.value}` |" in GUIDE for scope in Scope)
