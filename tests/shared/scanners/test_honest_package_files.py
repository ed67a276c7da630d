"""Nothing honest is held: the models and tables that the installed libraries bring themselves.

They are years old in part: gensim's of its first releases, statsmodels' of 0.9, ONNX's of every
version of its operators.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from samples.honest import assert_allowed

pytestmark = pytest.mark.slow

SUFFIXES = frozenset(
    [
        ".onnx",
        ".pb",
        ".npy",
        ".npz",
        ".pkl",
        ".pickle",
        ".h5",
        ".gz",
        ".csv",
        ".json",
        ".bin",
        ".model",
        ".bz2",
        ".txt",
        ".kv",
        ".mm",
        ".png",
    ]
)
LEFT_OUT = frozenset(
    {
        "varembed_morfessor.bin",  # objects of a package that nobody knows
        "cp852_fasttext.bin",  # not in the encoding of its format
        "non_ascii_fasttext.bin",
        "lee_fasttext.bin",  # fastText before its format had a magic number
        "reproduce.dat.gz",  # a dump of no format
    }
)


@pytest.mark.parametrize(
    "package", ["gensim", "h5py", "networkx", "onnx", "plotly", "sklearn", "statsmodels"]
)
def test_what_a_library_brings_is_allowed(package: str, tmp_path: Path) -> None:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is missing")
    root = Path(found.submodule_search_locations[0])
    copied = 0
    for file in root.rglob("*"):
        if file.suffix in SUFFIXES and file.name not in LEFT_OUT and file.is_file():
            target = tmp_path / file.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
            copied += 1
    assert copied
    assert_allowed(tmp_path)
