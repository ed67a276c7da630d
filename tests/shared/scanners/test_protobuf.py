"""The protobuf readers see what protobuf's own parsers see, and more where those give up."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.protobufs import attr, field, node_def, varint

from tidegate.scanners.interface import Limits, Report, Subject
from tidegate.scanners.protobuf.probe import messages_of
from tidegate.scanners.protobuf.schema import family
from tidegate.scanners.protobuf.text import unescaped, walk_text
from tidegate.scanners.protobuf.tree import MAX_DEPTH, Frame, Judge
from tidegate.scanners.protobuf.wire import walk


class Seen(Judge):
    """Notes every operator's name, and what was said."""

    kept = frozenset({"NodeDef.op", "NodeProto.op_type", "TensorShapeProto.Dim.size"})

    def __init__(self) -> None:
        subject = Subject(io.BytesIO(), 0, "x", "")
        super().__init__(subject, Report(Limits()), "PROTOBUF-MALFORMED", "message")
        self.operators: list[str] = []
        self.whole = False

    def done(self, frame: Frame) -> Any:
        self.operators += frame.texts("op") + frame.texts("op_type")
        return None

    def rules(self) -> set[str]:
        return {one.rule for one in self.report.findings}


def read(data: bytes, name: str = "tensorflow", root: str = "GraphDef") -> Seen:
    seen = Seen()
    seen.whole = walk(io.BytesIO(data), 0, len(data), family(name)[root], seen)
    return seen


def read_text(text: str) -> Seen:
    seen = Seen()
    seen.whole = walk_text(text, family("tensorflow")["GraphDef"], seen)
    return seen


@pytest.mark.parametrize("shift", range(0, 40, 3))
def test_numbers_at_the_end_of_a_buffer_are_read_whole(shift):
    padding = node_def("A" * (262_144 - 200 + shift))
    nodes = b"".join(node_def(f"Op{i}", f"name{i}" * 30) for i in range(3000))
    seen = read(padding + nodes)
    assert seen.whole
    assert not seen.rules()
    assert seen.operators[1:] == [f"Op{i}" for i in range(3000)]


def test_a_value_is_passed_over_without_being_read():
    class Refusing(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:  # type: ignore[override]
            assert count is not None
            assert 0 <= count <= 1 << 20
            return super().read(count)

    tensor = field(4, bytes(50 << 20))
    data = node_def("Const", "c", attr("value", field(8, tensor))) + node_def("Last")
    seen = Seen()
    assert walk(Refusing(data), 0, len(data), family("tensorflow")["GraphDef"], seen)
    assert seen.operators == ["Const", "Last"]


BROKEN = {
    "field zero": b"\x02\x00",
    "wire type six": b"\x0e\x00",
    "an end without a start": b"\x0c",
    "a length past the end": b"\x0a\x7f",
    "a number of eleven bytes": b"\x18" + b"\xff" * 11 + b"\x01",
    "a number that is cut off": b"\x18\xff",
    "a field number that is too large": b"\xf8\xff\xff\xff\x7f\x00",
    "a group without an end": b"\x9b\x06\x08\x01",
    "a group that ends as another": b"\x9b\x06\xa4\x06",
    "a part that is longer than its message": b"\x0a\x02\x0a\x05",
}


@pytest.mark.parametrize("tail", BROKEN.values(), ids=BROKEN)
def test_what_is_no_message_is_said_after_what_came_before(tail):
    seen = read(node_def("First") + tail)
    assert not seen.whole
    assert seen.operators[0] == "First"
    assert "PROTOBUF-MALFORMED" in seen.rules()


def test_unknown_fields_of_every_kind_are_passed_over_and_said():
    group = varint(99 << 3 | 3) + field(1, 7) + varint(99 << 3 | 4)
    for unknown in (
        field(99, 5),
        field(99, b"x" * 300),
        varint(99 << 3 | 1) + bytes(8),
        varint(99 << 3 | 5) + bytes(4),
        group,
    ):
        seen = read(unknown + node_def("Last"))
        assert seen.whole
        assert seen.operators == ["Last"]
        assert seen.rules() == {"PROTOBUF-HIDDEN-DATA"}


def test_a_field_of_another_type_is_unknown():
    seen = read(field(1, 5) + node_def("Last"))
    assert seen.rules() == {"PROTOBUF-HIDDEN-DATA"}
    assert seen.operators == ["Last"]


def test_nesting_is_bounded_without_recursion():
    data = b""
    for _ in range(MAX_DEPTH * 20):
        data = field(10, field(2, field(2, data)))
    node = field(1, field(2, "Op") + field(5, field(2, data)))
    seen = read(node)
    assert not seen.whole
    assert seen.report.unread_parts


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_the_library_parses_is_read(data):
    onnx = pytest.importorskip("onnx")
    honest = honest_model(onnx)
    changed = bytearray(honest)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    seen = read(bytes(changed), "onnx", "ModelProto")
    parsed = onnx.ModelProto()
    try:
        parsed.ParseFromString(bytes(changed))
    except Exception:  # noqa: BLE001 - whatever the library raises, it did not parse
        return
    assert seen.whole or seen.rules()
    named = {node.op_type for node in parsed.graph.node} - {""}
    # A name that is no UTF-8 is bytes to the library, and escaped here.
    assert set(seen.operators) >= {name for name in named if isinstance(name, str)}


def honest_model(onnx: Any) -> bytes:
    node = onnx.helper.make_node("Relu", ["x"], ["y"], name="n", alpha=1.5, axes=[1, 2])
    value = onnx.helper.make_tensor_value_info("x", 1, [1, "n"])
    graph = onnx.helper.make_graph([node], "g", [value], [value])
    data: bytes = onnx.helper.make_model(graph).SerializeToString()
    return data


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["tensorflow", "onnx", "coreml"]))
def test_no_bytes_make_a_reader_fail(data, name):
    roots = {"tensorflow": "SavedModel", "onnx": "ModelProto"}
    read(data, name, roots.get(name, "CoreML.Specification.Model"))
    messages_of(io.BytesIO(data), len(data))


# --- the text format


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'"a\n\t\\\"\'"', b"a\n\t\\\"'"),
        (r"'\x41\102\103'", b"ABC"),
        (r'"\u00e9\U0001F600"', "\u00e9\U0001f600".encode()),
        (r'"\?\q"', b"?q"),
    ],
)
def test_escapes_are_read_as_the_library_reads_them(literal, value):
    assert unescaped(literal) == value


TEXTS = {
    'node { op: "A" } node { op: "B" }': ["A", "B"],
    "node:{op:'A'};node<op:'B'>": ["A", "B"],
    "node [{op: 'A'}, <op: 'B'>]": ["A", "B"],
    "node { op: 'A' 'B'\n # c\n \"C\" }": ["ABC"],
    "node { attr { key: 'k' value { list { i: [1, -2, 0x10] } } } op: 'A' }": ["A"],
    "node { op: 'A' attr { value { f: -1.5e-3f } } attr { value { f: inf } } }": ["A"],
    "node { op: 'A' attr { value { b: true type: DT_FLOAT } } }": ["A"],
    "node { op: 'A' input: [] } node []": ["A"],
    "": [],
}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_text_format_is_read_in_all_its_spellings(text):
    seen = read_text(text)
    assert seen.whole, seen.report.findings
    assert seen.operators == TEXTS[text]


@pytest.mark.parametrize(
    "text",
    ["node {", "node }", "node { op }", "node { op: }", "node { op: 'A", "node [{}", "}", "node: 5",
     "node { op: 'A' ] }", "node { op: ['A' 'B' }", "\x00", "node { op: 'A' } \x01",
     "node <op:'A'}"],
)  # fmt: skip
def test_a_text_that_is_none_is_said(text):
    seen = read_text(text)
    assert not seen.whole
    assert "PROTOBUF-MALFORMED" in seen.rules()


def test_an_unknown_field_of_a_text_is_passed_over_and_said():
    seen = read_text("x: [{a: 'b'}, {c < d: 1 >}] node { y: -5 z: 'a' 'b'; op: 'A' } [a.b/c] { }")
    assert seen.rules() == {"PROTOBUF-HIDDEN-DATA"}
    assert seen.operators == ["A"]


def test_a_deep_text_is_bounded_without_recursion():
    seen = read_text("node { attr { value { func { attr { value { func { " * 2000)
    assert not seen.whole


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="node{}<>[]:;,'\"op #\\\n-1x", max_size=60))
def test_no_text_makes_the_reader_fail(text):
    read_text(text)
