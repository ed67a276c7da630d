"""The distribution holds what the folders hold, and the README tells the truth."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOTS = {
    "tidegate": "shared",
    "tidegate_mlflow": "mlflow_plugin",
    "tidegate_airflow": "airflow_provider",
}


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_on_disk_is_in_the_distribution() -> None:
    listed = set(setup_cfg()["options"]["packages"].split())
    found = {
        ".".join(path.parent.relative_to(ROOT / root).parts)
        for root in ROOTS.values()
        for path in (ROOT / root).rglob("__init__.py")
    }
    assert listed == found


def test_every_data_file_is_in_the_distribution() -> None:
    patterns = setup_cfg()["options.package_data"]
    for package, root in ROOTS.items():
        for path in (ROOT / root).rglob("*"):
            if path.is_dir() or path.suffix in {".py", ".pyc"} or "egg-info" in str(path):
                continue
            homes = [
                (name, path.relative_to(ROOT / root / name.replace(".", "/")))
                for name in patterns
                if path.is_relative_to(ROOT / root / name.replace(".", "/"))
            ]
            assert any(
                relative.match(pattern) and len(relative.parts) == len(Path(pattern).parts)
                for name, relative in homes
                for pattern in re.split(r"[,\s]+", patterns[name])
            ), f"{path.relative_to(ROOT)} of {package} would be left out of the wheel"


def test_every_requirement_is_pinned_with_its_hash() -> None:
    for lock in (ROOT / "locks").glob("*.txt"):
        text = lock.read_text()
        pins = re.findall(r"^([a-z0-9_.-]+(?:\[[^]]*\])?)==", text, re.MULTILINE | re.IGNORECASE)
        blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE | re.IGNORECASE)
        assert pins
        assert all("--hash=sha256:" in block for block in blocks if "==" in block.split("\n")[0])


def test_the_lock_has_every_direct_requirement() -> None:
    parser = setup_cfg()
    extras = dict(parser["options.extras_require"].items())
    writers = extras.pop("samples")
    named = [parser["options"]["install_requires"], *extras.values()]
    for lock, lines in (("dev.txt", "\n".join(named)), ("samples.txt", writers)):
        text = (ROOT / "locks" / lock).read_text().lower()
        for line in filter(None, (each.strip() for each in lines.split("\n"))):
            name = re.split(r"[\[<>=!~; ]", line)[0].lower()
            assert re.search(rf"^{re.escape(name)}(\[[^]]*\])?==", text, re.MULTILINE), name


def test_the_readmes_python_runs(tmp_path: Path) -> None:
    (block,) = [
        code
        for code in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        if "Gate.open" in code
    ]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("nothing to hold\n")
    import os
    import subprocess
    import sys

    environment = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "fraud passes" in done.stdout


def test_the_readmes_steps_are_recorded(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    text = (ROOT / "README.md").read_text()
    (block,) = [
        code
        for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        if "tidegate.step" in code
    ]
    (command,) = re.findall(r"^\$ tidegate (attest run .*)$", text, re.MULTILINE)
    (tmp_path / "train.csv").write_text("1\n2\n")
    (tmp_path / "train.py").write_text(block)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}
    environment["TIDEGATE_LEDGER"] = f"sqlite:///{tmp_path / 'ledger.db'}"
    arguments = [sys.executable if word == "python" else word for word in command.split()]
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", *arguments], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"step:[0-9a-f]{32} True\n", done.stdout)


def test_the_readmes_policy_is_valid() -> None:
    from tidegate.policy import parse_policy

    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (block,) = [each for each in blocks if "profile:" in each]
    assert parse_policy(block).contact == "ml-security@example.com"


def test_the_pre_commit_hooks_are_ones_that_the_command_has() -> None:
    import yaml
    from click.testing import CliRunner

    from tidegate.cli.app import app

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {hook["id"] for hook in hooks} == {"tidegate-scan", "tidegate-scan-text"}
    for hook in hooks:
        program, command, *rest = hook["entry"].split()
        assert (program, rest) == ("tidegate", ["--"])
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
        re.compile(hook.get("files", ""))


def test_the_rules_page_is_the_one_that_the_rules_make() -> None:
    from tidegate.cli.rules import _page
    from tidegate.scanners.rules import rules

    page = (ROOT / "docs" / "reference" / "rules.md").read_text("utf-8")
    assert page == _page(rules().values()), "run `make docs`"
