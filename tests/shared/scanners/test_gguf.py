"""GGUF files: those of the gguf package pass, whatever architecture and type; lying ones don't."""

from __future__ import annotations

import pickle
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE
from samples.scanned import assert_clean, grave_rules_of, scanned
from samples.templates import CHATML, REACHING, UNLISTED

from tidegate.artifact.formats import Format, detect_format


def text(value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def entry(key: bytes | str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def info(name: str, shape: list[int], kind: int = 0, offset: int = 0) -> bytes:
    return (
        text(name)
        + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        + struct.pack("<IQ", kind, offset)
    )


def gguf_file(
    entries: list[bytes],
    infos: list[bytes] = [],  # noqa: B006
    data: bytes = b"",
    *,
    counts: tuple[int, int] | None = None,
    version: int = 3,
    pad: bytes | None = None,
) -> bytes:
    tensors, values = counts or (len(infos), len(entries))
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, values) + b"".join(entries + infos)
    if pad is None:
        pad = bytes(-len(head) % 32)
    return head + pad + data


ARCHITECTURE = entry("general.architecture", 8, text("llama"))
F32 = info("a", [8])


def honest(**arguments: object) -> bytes:
    return gguf_file([ARCHITECTURE], [F32], bytes(32), **arguments)


def test_the_smallest_files_have_no_finding():
    assert_clean(scanned(honest(), "x.gguf"))
    assert_clean(scanned(gguf_file([ARCHITECTURE], pad=b""), "vocabulary"))
    two = gguf_file([ARCHITECTURE], [info("a", [1]), info("b", [8], 0, 32)], bytes(64))
    assert_clean(scanned(two))


@pytest.mark.parametrize("name", ["llama", "bert", "gpt2", "qwen2", "gemma", "whisper"])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_files_of_the_gguf_package_have_no_finding(name, endian, tmp_path):
    gguf = pytest.importorskip("gguf")
    np = pytest.importorskip("numpy")
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, name, endianess=getattr(gguf.GGUFEndian, endian))
    writer.add_name("A small model")
    writer.add_url("https://example.com/model")
    writer.add_block_count(2)
    writer.add_context_length(512)
    writer.add_file_type(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([b"\xff\xfe", "a", "<|im_start|>", *[f"token{i}" for i in range(500)]])
    writer.add_token_scores([0.5] * 503)
    writer.add_token_types([1] * 503)
    writer.add_token_merges(["a b", "c d"])
    writer.add_chat_template(CHATML)
    writer.add_array("general.tags", ["text-generation", "small"])
    writer.add_array("a.bools", [True, False])
    for key, value in (("uint8", 1), ("int8", -1), ("uint16", 1), ("int16", 1), ("int32", -5),
                       ("uint64", 1 << 40), ("int64", -1), ("float32", 1.5), ("float64", 1.5),
                       ("bool", True)):  # fmt: skip
        getattr(writer, f"add_{key}")(f"values.{key}", value)
    writer.add_key_value("raw", b"\0\1\2" * 20, gguf.GGUFValueType.ARRAY,
                         sub_type=gguf.GGUFValueType.UINT8)  # fmt: skip
    for dtype in (np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64):
        writer.add_tensor(f"weight.{np.dtype(dtype).name}", np.ones((3, 5), dtype=dtype))
    writer.add_tensor("scalar", np.ones(1, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    report = scanned(path.read_bytes(), "model.gguf")
    assert_clean(report)


def test_every_quantised_type_of_the_gguf_package_has_no_finding(tmp_path):
    gguf = pytest.importorskip("gguf")
    np = pytest.importorskip("numpy")
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for kind, (elements, size) in gguf.GGML_QUANT_SIZES.items():
        data = np.full((3, 2 * size), 7, dtype=np.uint8)
        assert elements
        writer.add_tensor(f"a.{kind.name}", data, raw_dtype=kind, raw_shape=None)
    writer.add_custom_alignment(64)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert_clean(scanned(path.read_bytes(), "model.gguf"))


def test_every_type_of_the_gguf_package_is_known():
    gguf = pytest.importorskip("gguf")
    from tidegate.scanners.gguf.reader import tensor_types

    for kind, (elements, size) in gguf.GGML_QUANT_SIZES.items():
        assert tensor_types()[int(kind)] == (kind.name, elements, size)


ALIGNMENT = "general.alignment"
MALFORMED = {
    "version 0": honest(version=0),
    "version 4": honest(version=4),
    "more tensors": honest(counts=(9, 1)),
    "fewer values": honest(counts=(1, 0)),
    "absurd tensors": honest(counts=(1 << 60, 1)),
    "absurd values": honest(counts=(1, 1 << 62)),
    "all values": honest(counts=(1, (1 << 64) - 1)),
    "key twice": gguf_file([ARCHITECTURE, ARCHITECTURE]),
    "key not UTF-8": gguf_file([entry(b"\xff\xff", 8, text("x"))]),
    "key empty": gguf_file([entry("", 8, text("x"))]),
    "key of control characters": gguf_file([entry("a\x00b", 8, text("x"))]),
    "key longer than the file": gguf_file([struct.pack("<Q", 1 << 40) + b"a"]),
    "text longer than the file": gguf_file([entry("a", 8, struct.pack("<Q", 1 << 63))]),
    "text not UTF-8": gguf_file([entry("a", 8, text(b"\xff\xfe\xff"))]),
    "unknown value type": gguf_file([entry("a", 13, bytes(8))]),
    "unknown array type": gguf_file([entry("a", 9, struct.pack("<IQ", 99, 1) + bytes(8))]),
    "array past the end": gguf_file([entry("a", 9, struct.pack("<IQ", 4, 1 << 40))]),
    "array that overflows": gguf_file([entry("a", 9, struct.pack("<IQ", 12, (1 << 61) + 1))]),
    "array of many texts": gguf_file([entry("a", 9, struct.pack("<IQ", 8, 1 << 50))]),
    "array nested deep": gguf_file([entry("a", 9, struct.pack("<IQ", 9, 1) * 50)]),
    "truth value of 2": gguf_file([entry("a", 7, b"\2")]),
    "alignment 0": gguf_file([entry(ALIGNMENT, 4, struct.pack("<I", 0))]),
    "alignment 3": gguf_file([entry(ALIGNMENT, 4, struct.pack("<I", 3))]),
    "alignment huge": gguf_file([entry(ALIGNMENT, 4, struct.pack("<I", 1 << 31))]),
    "alignment a text": gguf_file([entry(ALIGNMENT, 8, text("32"))]),
    "alignment 64 bit": gguf_file([entry(ALIGNMENT, 10, struct.pack("<Q", 32))]),
    "name twice": gguf_file([], [F32, info("a", [8], 0, 32)], bytes(64)),
    "name long": gguf_file([], [info("a" * 300, [8])], bytes(32)),
    "many dimensions": gguf_file([], [info("a", [1] * 5)], bytes(32)),
    "absurd dimensions": gguf_file([], [text("a") + struct.pack("<I", 1 << 31)], bytes(32)),
    "shape overflows": gguf_file([], [info("a", [1 << 33, 1 << 33])], bytes(32)),
    "unknown tensor type": gguf_file([], [info("a", [8], 999)], bytes(32)),
    "no whole blocks": gguf_file([], [info("a", [33], 2)], bytes(64)),
    "not aligned": gguf_file([], [info("a", [8], 0, 8)], bytes(64)),
    "overlap": gguf_file([], [info("a", [16]), info("b", [8], 0, 32)], bytes(64)),
    "past the end": gguf_file([], [info("a", [999])], bytes(32)),
    "far past the end": gguf_file([], [info("a", [8], 0, 1 << 40)], bytes(32)),
    "offset wraps": gguf_file([], [info("a", [8], 0, (1 << 64) - 32)], bytes(32)),
    "cut in the header": honest()[:12],
    "cut in the data": honest()[:-4],
    "part 5 of 2": gguf_file(
        [entry("split.no", 2, struct.pack("<H", 5)), entry("split.count", 2, struct.pack("<H", 2))]
    ),
}
HIDDEN = {
    "behind the last tensor": honest() + bytes(32),
    "payload behind": honest() + HARMFUL_PICKLE,
    "no tensor at all": gguf_file([ARCHITECTURE]) + b"hidden bytes",
    "between tensors": gguf_file([], [F32, info("b", [8], 0, 96)], bytes(128)),
    "in the padding": gguf_file([], [info("a", [1]), info("b", [8], 0, 32)],
                                bytes(4) + b"hidden" + bytes(54)),
    "in the header's padding": gguf_file([entry("a", 8, text("x"))], [F32], bytes(32),
                                         pad=b"\1" * 14),
    "before the first": gguf_file([], [info("a", [8], 0, 32)], bytes(64)),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_file_that_contradicts_itself_is_found(name):
    assert "GGUF-MALFORMED" in grave_rules_of(scanned(MALFORMED[name], "x.gguf"))


@pytest.mark.parametrize("name", HIDDEN)
def test_bytes_outside_the_tensors_are_found(name):
    assert grave_rules_of(scanned(HIDDEN[name], "x.gguf")) & {"GGUF-HIDDEN-DATA", "GGUF-MALFORMED"}


@pytest.mark.parametrize("key", ["tokenizer.chat_template", "tokenizer.chat_template.tool_use"])
@pytest.mark.parametrize("name", ["class chain", "joined by tilde", "lipsum", "characters"])
def test_a_hostile_chat_template_is_critical(key, name):
    data = gguf_file([ARCHITECTURE, entry(key, 8, text(REACHING[name]))])
    assert "TEMPLATE-CODE" in grave_rules_of(scanned(data, "model.bin"))
    broken = data[:-1] + b"\xff" * 5
    assert "TEMPLATE-CODE" in grave_rules_of(scanned(broken, "model.bin"))


def test_a_chat_template_may_use_listed_things_only():
    data = gguf_file([entry("tokenizer.chat_template", 8, text(UNLISTED["include"]))])
    assert "TEMPLATE-UNLISTED" in grave_rules_of(scanned(data))


def test_a_hostile_template_under_another_key_is_found():
    array = struct.pack("<IQ", 8, 1) + text(REACHING["class chain"])
    for value in (entry("general.description", 8, text(REACHING["lipsum"])), entry("a", 9, array)):
        assert "TEMPLATE-CODE" in grave_rules_of(scanned(gguf_file([value])))


@pytest.mark.parametrize("payload", [HARMFUL_PICKLE, zlib.compress(HARMFUL_PICKLE)])
def test_a_pickle_in_the_metadata_is_found(payload):
    import base64

    array = struct.pack("<IQ", 0, len(payload)) + payload
    as_text = text(base64.b64encode(payload + bytes(40)))
    for value in (entry("a", 9, array), entry("a", 8, as_text)):
        rules = grave_rules_of(scanned(gguf_file([value])))
        assert rules & {"PICKLE-EXEC", "PICKLE-DANGEROUS-GLOBAL"}


def test_the_old_formats_are_unread_with_a_reason():
    for magic in (b"lmgg", b"fmgg", b"tjgg", b"algg"):
        report = scanned(magic + bytes(64), "ggml-model.bin")
        assert "before GGUF" in report.unread_parts[0].reason


def test_version_1_is_read():
    body = struct.pack("<I", 1) + b"a" + struct.pack("<I", 4) + struct.pack("<I", 5)
    name = struct.pack("<I", 1) + b"t" + struct.pack("<III", 1, 8, 0) + struct.pack("<Q", 0)
    head = b"GGUF" + struct.pack("<III", 1, 1, 1) + body + name
    data = head + bytes(-len(head) % 32) + bytes(32)
    assert_clean(scanned(data, "x.gguf"))
    assert "GGUF-HIDDEN-DATA" in grave_rules_of(scanned(data + b"x", "x.gguf"))


def test_content_decides():
    import io

    assert detect_format(io.BytesIO(honest()), len(honest()), "x.txt") is Format.GGUF
    assert "GGUF-HIDDEN-DATA" in grave_rules_of(scanned(honest() + pickle.dumps([1]), "x.txt"))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(data):
    scanned(b"GGUF" + data, "x.gguf")
    scanned(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + data, "x.gguf")
