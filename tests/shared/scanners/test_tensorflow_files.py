"""Checkpoints, records and TFLite models are followed to their last byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.protobufs import field
from samples.scanned import assert_clean, grave_rules_of, scanned, scanned_folder
from samples.tensorflow_files import block, entry, index, lite_model, record

NUMBERS = bytes(range(1, 65))


def checkpoint(folder: Path, data: bytes, *entries: tuple[bytes, bytes], **more) -> set[str]:
    """The grave rules for a checkpoint of one shard."""
    (folder / "variables.index").write_bytes(index(*entries, **more))
    (folder / "variables.data-00000-of-00001").write_bytes(data)
    report = scanned_folder(folder)
    rules = grave_rules_of(report)
    return rules | ({"unread"} if report.unread_parts else set())


WHOLE = (b"w", entry(0, 64))


def test_a_shard_that_its_index_describes_passes(tmp_path):
    assert checkpoint(tmp_path, NUMBERS, WHOLE) == set()
    assert checkpoint(tmp_path, NUMBERS, (b"a", entry(0, 32)), (b"b", entry(32, 32))) == set()


def test_a_shard_without_its_index_is_unread(tmp_path):
    (tmp_path / "variables.data-00000-of-00001").write_bytes(NUMBERS)
    assert scanned_folder(tmp_path).unread_parts


@pytest.mark.parametrize("extra", [b"more", HARMFUL_PICKLE, b"\x7fELF" + bytes(60)])
def test_bytes_in_a_shard_that_belong_to_no_tensor_are_held(tmp_path, extra):
    assert "EXTERNAL-DATA-HIDDEN" in checkpoint(tmp_path, NUMBERS + extra, WHOLE)
    first = (b"w", entry(len(extra), 64))
    assert "EXTERNAL-DATA-HIDDEN" in checkpoint(tmp_path, extra + NUMBERS, first)


def test_a_shard_that_is_a_pickle_or_a_program_is_held(tmp_path):
    pickled = HARMFUL_PICKLE.ljust(64, b"\0")
    assert any(rule.startswith("PICKLE") for rule in checkpoint(tmp_path, pickled, WHOLE))
    assert "CODE-NATIVE" in checkpoint(tmp_path, b"\x7fELF\2\1\1" + bytes(57), WHOLE)


def test_an_index_that_contradicts_itself_is_held(tmp_path):
    assert "EXTERNAL-DATA-RANGE" in checkpoint(tmp_path, NUMBERS, (b"w", entry(0, 68)))
    assert "TF-MALFORMED" in checkpoint(tmp_path, NUMBERS, (b"w", entry(0, 64, shape=3)))
    assert "TF-MALFORMED" in checkpoint(tmp_path, NUMBERS, WHOLE, (b"x", entry(0, 4, shard=7)))
    assert "TF-MALFORMED" in checkpoint(tmp_path, NUMBERS, (b"w", entry(1 << 63, 64)))
    assert "unread" in checkpoint(tmp_path, NUMBERS, WHOLE, shards=2)


def test_what_hides_in_an_index_is_found(tmp_path):
    assert "EXTERNAL-DATA-HIDDEN" in checkpoint(tmp_path, NUMBERS, WHOLE, gap=b"payload")
    assert "EXTERNAL-DATA-HIDDEN" in grave_rules_of(
        scanned(index(WHOLE)[:-20] + b"payload" + index(WHOLE)[-13:], "variables.index")
    )
    hidden = (b"w", entry(0, 64) + field(99, HARMFUL_PICKLE))
    assert "PROTOBUF-HIDDEN-DATA" in checkpoint(tmp_path, NUMBERS, hidden)


def test_an_index_that_is_broken_is_held():
    whole = index(WHOLE)
    for data in (whole[-48:], b"\xff" * 60 + whole[-48:], whole.replace(b"\0" * 5, b"\1" * 5, 1)):
        report = scanned(data, "variables.index")
        assert grave_rules_of(report) or report.unread_parts
    assert block([])


# --- records


def test_records_of_examples_and_events_pass():
    example = field(1, field(1, field(1, "a") + field(2, field(2, field(1, b"\0\0\x80\x3f")))))
    event = field(3, "brain.Event:2")
    assert_clean(scanned(record(example) + record(example), "data.tfrecord"))
    assert_clean(scanned(record(event) + record(event), "events.out.tfevents.1.host"))


def test_records_with_a_payload_are_held():
    for payload in (HARMFUL_PICKLE, b"#!/bin/sh\necho hello there", b"\x7fELF" + bytes(9000)):
        assert grave_rules_of(scanned(record(b"plain") + record(payload), "data.tfrecord"))


def test_what_is_no_record_behind_the_last_one_is_held():
    for rest in (b"x", b"payload" * 9, record(b"abc")[:-6], HARMFUL_PICKLE):
        assert "TF-MALFORMED" in grave_rules_of(scanned(record(b"plain") + rest, "d.tfrecord"))


# --- TFLite

pytest.importorskip("flatbuffers", reason="flatbuffers builds the samples")


def test_a_model_of_built_in_and_known_operators_passes():
    assert_clean(scanned(lite_model(buffers=(NUMBERS,)), "model.tflite"))
    assert_clean(scanned(lite_model("TFLite_Detection_PostProcess"), "model.tflite"))
    assert_clean(scanned(lite_model("FlexAddV2", "FlexErf"), "model.tflite"))


@pytest.mark.parametrize(
    "name",
    ["FlexReadFile", "FlexPyFunc", "FlexWriteFile", "FlexEvil", "Flex", "EvilOp", "flexAddV2", ""],
)
def test_an_operator_from_outside_is_held(name):
    for known in ((), ("FlexAddV2",)):
        data = lite_model(*known, name)
        assert grave_rules_of(scanned(data, "model.tflite")) == {"TFLITE-OPERATOR"}
        assert grave_rules_of(scanned(data, "weights.bin")) == {"TFLITE-OPERATOR"}


def test_a_payload_in_a_buffer_is_held():
    for payload, rule in ((HARMFUL_PICKLE.ljust(40, b"\0"), "PICKLE"), (b"\x7fELF" * 9, "CODE")):
        rules = grave_rules_of(scanned(lite_model(buffers=(payload,)), "model.tflite"))
        assert any(each.startswith(rule) for each in rules)


def test_what_follows_the_model_is_found():
    model = lite_model(buffers=(NUMBERS,))
    labelled = scanned(model + plain_zip({"labels.txt": b"cat\ndog\n"}), "model.tflite")
    assert not grave_rules_of(labelled)
    assert not labelled.unread_parts
    assert "EXTERNAL-DATA-HIDDEN" in grave_rules_of(scanned(model + b"payload" * 20, "m.tflite"))
    behind = scanned(model + plain_zip({"a.pkl": HARMFUL_PICKLE}), "model.tflite")
    assert any(rule.startswith("PICKLE") for rule in grave_rules_of(behind))


def test_any_model_that_breaks_off_is_held():
    model = lite_model("FlexAddV2", buffers=(NUMBERS,))
    for size in range(9, len(model) - 70, 7):
        report = scanned(model[:size], "model.tflite")
        assert grave_rules_of(report) or report.unread_parts


@pytest.mark.parametrize("length", [b"\x08", b"\x88\x80\x00"])
def test_the_node_in_an_operators_options_is_judged(length):
    from samples.tensorflow_files import lite_operator

    node = b"\x0a\x01n\x12" + length + b"ReadFile" + b"\x32\x00"
    data = lite_operator("FlexAddV2", b"\x08AddV2\0" + node + b"\x02")
    assert grave_rules_of(scanned(data, "model.tflite")) == {"TFLITE-OPERATOR"}
    honest = lite_operator("FlexAddV2", b"\x05AddV2\0\x0a\x01n\x12\x05AddV2\x02")
    assert_clean(scanned(honest, "model.tflite"))
