"""Nothing of the input runs, and a file that lies about itself is refused, whole or not at all."""

from __future__ import annotations

import json
import pickle
import random
import struct
from pathlib import Path

import pytest
from samples.archives import HARMFUL_PICKLE
from samples.tensors import torch_legacy, torch_pickle, torch_zip

from tidegate.convert import RefusedError, convert
from tidegate.errors import ArtifactError, UsageError

FLOATS = struct.pack("<4f", 0.5, -1.5, 3.25, 1e-3)


def written(folder: Path, data: bytes) -> Path:
    (folder / "m.pt").write_bytes(data)
    return folder / "m.pt"


def converted(folder: Path, data: bytes) -> dict:
    convert(written(folder, data), folder / "out.safetensors", force=True)
    raw = (folder / "out.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    assert header.pop("__metadata__") == {"format": "pt"}
    return {name: raw[8 + length :][slice(*row["data_offsets"])] for name, row in header.items()}


@pytest.mark.parametrize("write", [torch_zip, torch_legacy])
def test_an_honest_file_is_converted_without_torch(write, tmp_path):
    found = converted(tmp_path, write(torch_pickle(2), [FLOATS, FLOATS[::-1]]))
    assert found == {"layer0.weight": FLOATS, "layer1.weight": FLOATS[::-1]}


class Harm:
    def __reduce__(self):
        return print, ("tidegate was here",)


@pytest.mark.parametrize(
    "pickled",
    [
        HARMFUL_PICKLE,
        pickle.dumps({"a": Harm()}, 2),
        pickle.dumps(Harm(), 4),
        torch_pickle()[:-1] + HARMFUL_PICKLE[:-1] + b"0.",
        b"\x80\x02}.",
        b"\x80\x02]q\0h\0a.",
        b"\x80\x02(((",
        b"\x80\x02N0N0N0.",
        b"\x80\x02}q\0X\1\0\0\0ah\0s.",
        b"\x80\x02)Q.",
        b"\x80\x02(]K\1K\1K\1K\1K\1tQ.",
        b"",
    ],
    ids=range(12),
)
def test_a_pickle_that_does_more_is_refused_and_not_run(pickled, tmp_path, capsys):
    source = written(tmp_path, torch_zip(pickled, [FLOATS]))
    if pickled.startswith(torch_pickle()[:-1]):
        convert(source, tmp_path / "out")  # what is called beside the tensors is nothing of theirs
    else:
        with pytest.raises(RefusedError):
            convert(source, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    assert "tidegate" not in capsys.readouterr().out


def rebuilt(offset: int, shape: tuple, stride: tuple, count: int = 4, key: str = "0") -> bytes:
    """A state dict of one tensor with those arguments."""
    numbers = (
        "".join(f"I{n}\n" for n in shape).encode(),
        "".join(f"I{n}\n" for n in stride).encode(),
    )
    return (
        b"\x80\x02}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(("
        b"X\7\0\0\0storagectorch\nFloatStorage\n"
         b"X" + struct.pack("<I", len(key)) + key.encode() + b"X\3\0\0\0cpu"
        + f"I{count}\n".encode() + b"tQ" + f"I{offset}\n".encode()
        + b"(" + numbers[0] + b"t(" + numbers[1] + b"t\x89ccollections\nOrderedDict\n)RtRs."
    )  # fmt: skip


def test_the_sample_itself_is_honest(tmp_path):
    assert converted(tmp_path, torch_zip(rebuilt(1, (3,), (1,)), [FLOATS])) == {"w": FLOATS[4:]}


@pytest.mark.parametrize(
    "pickled",
    [
        rebuilt(0, (5,), (1,)),
        rebuilt(1, (4,), (1,)),
        rebuilt(0, (2, 2), (4, 1)),
        rebuilt(-1, (2,), (1,)),
        rebuilt(0, (-2,), (1,)),
        rebuilt(0, (2,), (-1,)),
        rebuilt(0, (2, 2), (1,)),
        rebuilt(1 << 70, (1,), (1,)),
        rebuilt(0, (1 << 40,), (0,)),
        rebuilt(0, (1,) * 70, (1,) * 70),
        rebuilt(0, (100,), (1,), count=100),
        rebuilt(0, (1,), (1,), key="9"),
        rebuilt(0, (1,), (1,), key="../0"),
    ],
    ids=range(13),
)
def test_a_tensor_outside_its_storage_is_refused(pickled, tmp_path):
    with pytest.raises(RefusedError):
        convert(written(tmp_path, torch_zip(pickled, [FLOATS])), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no torch file",
        torch_zip(torch_pickle(), [FLOATS])[:-30],
        torch_zip(torch_pickle(), [FLOATS]) + b"more",
        torch_zip(torch_pickle(), [FLOATS], {"archive/data.PKL": b"x", "archive/data/0": FLOATS}),
        torch_zip(torch_pickle() + b"N.", [FLOATS]),
        torch_zip(torch_pickle(), [FLOATS], {"archive/constants.pkl": b"\x80\x02)."}),
        torch_zip(torch_pickle(), [FLOATS[:-1]]),
        torch_legacy(torch_pickle(), [FLOATS])[:-1],
        torch_legacy(torch_pickle(), [FLOATS]) + b"x",
        torch_legacy(torch_pickle(), [FLOATS, FLOATS]),
        torch_legacy(torch_pickle(2), [FLOATS]),
    ],
    ids=range(12),
)
def test_a_file_that_is_cut_off_or_ambiguous_is_refused(data, tmp_path):
    with pytest.raises(ArtifactError):
        convert(written(tmp_path, data), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["m.pt"]


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path):
    source = written(tmp_path, torch_zip(torch_pickle(), [FLOATS]))
    target = tmp_path / "out"
    target.write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there already"):
        convert(source, target)
    assert target.read_bytes() == b"mine"
    convert(source, target, force=True)
    assert target.read_bytes() != b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.pt", "out"]


def test_any_change_to_a_file_ends_in_a_whole_output_or_a_refusal(tmp_path):
    chance = random.Random(17)
    for whole in (
        torch_zip(torch_pickle(2), [FLOATS, FLOATS]),
        torch_legacy(torch_pickle(2), [FLOATS] * 2),
    ):
        for _ in range(400):
            changed = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            try:
                converted(tmp_path, bytes(changed))
            except (ArtifactError, UsageError):
                continue


def test_any_opcodes_are_read_or_refused():
    from tidegate.scanners.torch_tensors.reader import BrokenPickleError, read_pickle

    chance = random.Random(19)
    opcodes = b"(.0}]tsuabQRc\x85\x86\x87\x81\x93\x94)qhN\x88K"
    for _ in range(20_000):
        data = b"\x80\x02" + bytes(chance.choices(opcodes, k=chance.randint(1, 30))) + b"."
        try:
            read_pickle(data)
        except BrokenPickleError:
            continue
