"""Protobuf messages made byte by byte, so that they can say what no library would write."""

from __future__ import annotations


def varint(value: int) -> bytes:
    """A number as protobuf writes it; a negative one takes ten bytes."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: bytes | str | int) -> bytes:
    """A field: a number as varint, anything else with its length before it."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def node_def(op: str, name: str = "n", *attrs: bytes) -> bytes:
    """A node of a TensorFlow graph, as field 1 of a GraphDef."""
    return field(1, field(1, name) + field(2, op) + b"".join(attrs))


def attr(key: str, value: bytes) -> bytes:
    """An attribute of such a node."""
    return field(5, field(1, key) + field(2, value))


def saved_model(*parts: bytes, graph: bytes = b"") -> bytes:
    """A SavedModel with one graph; `parts` are further fields of its MetaGraphDef."""
    info = field(1, field(4, "serve"))
    return field(1, 1) + field(2, info + field(2, graph) + b"".join(parts))


def split(fields: bytes) -> list[bytes]:
    """The contents of length-delimited fields, one after another."""
    contents, at = [], 0
    while at < len(fields):
        size, shift = 0, 0
        while True:
            at += 1
            size |= (fields[at] & 0x7F) << shift
            shift += 7
            if fields[at] < 0x80:
                break
        at += 1
        contents.append(fields[at : at + size])
        at += size
    return contents


def function(name: str, *nodes: bytes) -> bytes:
    """A function with those nodes, as it stands in the library of a TensorFlow graph."""
    body = b"".join(field(3, node) for node in split(b"".join(nodes)))
    return field(1, field(1, field(1, name)) + body)


def inputs(node: bytes, *names: str) -> bytes:
    """The same node, with inputs."""
    (content,) = split(node)
    return field(1, content + b"".join(field(3, name) for name in names))
