"""Lists of packages are read for what they say, and what can't be told is said to be untold."""

import zipfile

import pytest

from tidegate.dependencies.asked import (
    Asked,
    AskedList,
    UnreadableListError,
    installed_in,
    read_environment_file,
    read_lock,
    wheels_in,
)

UV = b"""
version = 1
[[package]]
name = "ours"
version = "0.1.0"
source = { virtual = "." }
[[package]]
name = "torch"
version = "2.5.1+cu124"
source = { registry = "https://download.pytorch.org/whl/cu124" }
wheels = [{ url = "https://x/torch.whl", hash = "sha256:aa" }]
[[package]]
name = "patched"
version = "1.0"
source = { git = "https://example.com/patched.git" }
"""
POETRY = b"""
[[package]]
name = "requests"
version = "2.30.0"
files = [{file = "requests-2.30.0.whl", hash = "sha256:aa"}]
[[package]]
name = "patched"
version = "1.0"
files = []
[package.source]
type = "git"
url = "https://example.com/patched.git"
"""
PYLOCK = b"""
lock-version = "1.0"
[[packages]]
name = "attrs"
version = "25.1.0"
wheels = [{name = "attrs.whl", hashes = {sha256 = "aa"}}]
[[packages]]
name = "archived"
archive = {url = "https://example.com/a.zip", hashes = {sha256 = "aa"}}
[[packages]]
version = "1.0"
"""


def test_a_uv_lock():
    assert read_lock(UV).packages == (
        Asked("torch", "2.5.1+cu124", hashed=True),
        Asked("patched", "1.0", hashed=False, elsewhere="git"),
    )


def test_a_poetry_lock():
    assert read_lock(POETRY).packages == (
        Asked("requests", "2.30.0", hashed=True),
        Asked("patched", "1.0", hashed=False, elsewhere="git"),
    )


def test_a_pylock():
    read = read_lock(PYLOCK)
    assert read.packages == (
        Asked("attrs", "25.1.0", hashed=True),
        Asked("archived", None, hashed=True, elsewhere="address"),
    )
    assert read.unread == (("package 3", "it has no name"),)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"package = 1", b"a = " + b"[" * 100_000, b"not toml", b"#" * (33 << 20)],
)
def test_what_is_no_lock_is_refused(data):
    with pytest.raises(UnreadableListError):
        read_lock(data)


def test_a_conda_environment_keeps_versions_as_they_are_written():
    read = read_environment_file(
        b"name: mlflow-env\nchannels: [conda-forge]\ndependencies:\n- python=3.10\n- pip<=24\n"
        b"- cudatoolkit=11.8\n- pip:\n  - mlflow==2.10\n  - scikit-learn==1.4.2\n"
    )
    assert read.requirements == ("mlflow==2.10", "scikit-learn==1.4.2")
    assert [what for what, _ in read.unread] == ["cudatoolkit=11.8"]


def test_a_python_env_asks_for_what_builds_it():
    read = read_environment_file(
        b"python: 3.10\nbuild_dependencies:\n- setuptools==65.5.0\ndependencies:\n"
        b"- -r requirements.txt\n"
    )
    assert read.requirements == ("setuptools==65.5.0",)


def test_an_environment_of_aliases_is_refused():
    many = b", ".join([b"*a"] * 10_000)
    with pytest.raises(UnreadableListError, match=r"aliases"):
        read_environment_file(b"x: &a {pip: [b]}\ndependencies: [" + many + b"]")


@pytest.mark.parametrize("data", [b"", b"- a", b"dependencies: 1", b"[" * 5000, b"a: " * 400_000])
def test_what_is_no_environment_is_refused(data):
    with pytest.raises(UnreadableListError):
        read_environment_file(data)


def wheel(path, metadata, inner=None):
    with zipfile.ZipFile(path, "w") as archive:
        name = inner or f"{'-'.join(path.name.split('-')[:2])}.dist-info/METADATA"
        archive.writestr(name, metadata)


def test_wheels_are_told_by_what_their_metadata_say(tmp_path):
    wheel(tmp_path / "torch-2.0.0+cu118-py3-none-any.whl", "Name: torch\nVersion: 2.0.0+cu118\n\n")
    wheel(tmp_path / "safe-9.0-py3-none-any.whl", "Name: pillow\nVersion: 9.0\n\n")
    wheel(tmp_path / "late-9.0-py3-none-any.whl", "Summary: x\n\nName: late\nVersion: 9.0\n")
    wheel(tmp_path / "none-9.0-py3-none-any.whl", "Name: none\nVersion: 9.0\n\n", "METADATA")
    (tmp_path / "broken-1.0-py3-none-any.whl").write_bytes(b"PK\x03\x04")
    (tmp_path / "strange.whl").write_bytes(b"")
    read = wheels_in(tmp_path)
    assert read.packages == (Asked("torch", "2.0.0+cu118"),)
    assert [what.split("-")[0] for what, _ in read.unread] == [
        "broken", "late", "none", "safe", "strange.whl"]  # fmt: skip


def installed(folder, name, metadata, inner="METADATA"):
    (folder / name).mkdir()
    (folder / name / inner).write_text(metadata)


def test_what_is_installed_is_told_by_its_metadata(tmp_path):
    installed(tmp_path, "torch-2.0.0.dist-info", "Name: torch\nVersion: 2.0.0+cu118\n\n")
    installed(tmp_path, "old_one-1.0-py3.11.egg-info", "Name: old-one\nVersion: 1.0\n", "PKG-INFO")
    (tmp_path / "plain-3.egg-info").write_text("Name: plain\nVersion: 3\n")
    (tmp_path / "torch").mkdir()
    assert installed_in(tmp_path) == AskedList(
        (Asked("old-one", "1.0"), Asked("plain", "3"), Asked("torch", "2.0.0+cu118"))
    )


def test_installed_packages_that_do_not_say_which_they_are_are_unread(tmp_path):
    installed(tmp_path, "safe-9.dist-info", "Name: pillow\nVersion: 9\n")
    installed(tmp_path, "mute-1.dist-info", "Summary: x\n")
    installed(tmp_path, "bodily-1.dist-info", "Summary: x\n\nName: bodily\nVersion: 1\n")
    (tmp_path / "empty-1.dist-info").mkdir()
    (tmp_path / "hollow-1.egg").mkdir()
    (tmp_path / "linked.egg-link").write_text("/src\n")
    read = installed_in(tmp_path)
    assert read.packages == ()
    assert len(read.unread) == 6


def test_a_wheel_without_a_version_is_unread(tmp_path):
    wheel(tmp_path / "torch-2.0.0-py3-none-any.whl", "Name: torch\n\n")
    assert [name for name, _ in wheels_in(tmp_path).unread] == ["torch-2.0.0-py3-none-any.whl"]


def test_what_builds_in_a_conda_environment_is_audited_where_its_version_is_said():
    read = read_environment_file(
        b"name: e\ndependencies: [python=3.11, pip<=24, setuptools=65.5.0=py_0, 'wheel ==0.37']\n"
    )
    assert read.requirements == ("setuptools==65.5.0", "wheel==0.37")
    assert read.unread == ()


def test_no_entry_of_an_environment_is_passed_over():
    read = read_environment_file(b"name: e\ndependencies: [{pip: [[torch]], npm: [x]}]\n")
    assert [what for what, _ in read.unread] == ["pip", "npm"]


@pytest.mark.parametrize(
    "entry",
    [
        'name = "beside"\nsource = { editable = "../beside" }',
        'name = "beside"\nsource = { path = "dist/beside-1.0-py3-none-any.whl" }',
        'name = "beside"\ndirectory = { path = "../beside" }',
        'name = "beside"\nversion = "1"\n[package.source]\ntype = "directory"\nurl = "../beside"',
    ],
)
def test_a_package_beside_the_project_is_named_as_unread(entry):
    read = read_lock(f"[[package]]\n{entry}\n".encode())
    assert read.packages == ()
    assert [name for name, _ in read.unread] == ["beside"]


def test_the_project_itself_is_not_audited():
    read = read_lock(b'[[package]]\nname = "ours"\nversion = "0"\nsource = { virtual = "." }\n')
    assert (read.packages, read.unread) == ((), ())
