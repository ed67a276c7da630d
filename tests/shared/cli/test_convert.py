"""`tidegate convert` scans first, writes whole files only, and says what it did."""

from __future__ import annotations

import json
import struct

from samples.archives import HARMFUL_PICKLE
from samples.tensors import torch_pickle, torch_zip

from tidegate.cli.run import run

FLOATS = struct.pack("<4f", 0.5, -1.5, 3.25, 1e-3)


def test_a_state_dict_is_converted(tmp_path, capsys):
    source, target = tmp_path / "model.pt", tmp_path / "model.safetensors"
    source.write_bytes(torch_zip(torch_pickle(2), [FLOATS, FLOATS]))
    assert run(["convert", str(source), str(target), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tensors"] == 2
    assert told["size"] == target.stat().st_size
    assert run(["scan", str(target)]) == 0


def test_a_file_that_the_policy_holds_is_not_converted_unless_that_is_asked_for(tmp_path, capsys):
    source, target = tmp_path / "model.pt", tmp_path / "model.safetensors"
    extra = {"archive/extra.pkl": HARMFUL_PICKLE}
    source.write_bytes(torch_zip(torch_pickle(), [FLOATS], extra))
    assert run(["convert", str(source), str(target)]) == 1
    assert "PICKLE-EXEC" in capsys.readouterr().err
    assert not target.exists()
    assert run(["convert", str(source), str(target), "--despite-findings"]) == 0
    assert target.exists()


def test_what_is_no_state_dict_is_refused_with_its_reason(tmp_path, capsys):
    source, target = tmp_path / "model.pt", tmp_path / "model.safetensors"
    source.write_bytes(torch_zip(b"\x80\x02}X\1\0\0\0aK\1s.", []))
    assert run(["convert", str(source), str(target)]) == 3
    assert "no plain tensor" in capsys.readouterr().err
    assert not target.exists()


def test_an_output_that_is_there_or_is_the_input_is_wrong_usage(tmp_path):
    source, target = tmp_path / "model.pt", tmp_path / "model.safetensors"
    source.write_bytes(torch_zip(torch_pickle(), [FLOATS]))
    target.write_bytes(b"mine")
    assert run(["convert", str(source), str(target)]) == 2
    assert run(["convert", str(source), str(source), "--force"]) == 2
    assert run(["convert", str(source), str(target), "--force"]) == 0


def test_a_missing_file_is_said_to_be_missing(tmp_path, capsys):
    assert run(["convert", str(tmp_path / "gone.pt"), str(tmp_path / "out")]) == 2
    assert "gone.pt" in capsys.readouterr().err
