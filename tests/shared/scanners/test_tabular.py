"""Parquet, Arrow, Avro and SQLite: honest tables pass, and nothing hides in or behind one."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned

HARMFUL = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
FLOAT_COLUMN = b"\x15\x0a\x19\x15\x00\x19\x18\x01x\x15\x00\x16\x02\x16\x08\x16\x08"


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def parquet(
    *, body: bytes = b"1234", at: int = 4, size: int = 4, path: bytes = b"", pairs: bytes = b"",
    more: bytes = b"", before_footer: bytes = b"", behind: bytes = b"",
) -> bytes:  # fmt: skip
    """A file of one column, its footer written field by field."""
    column = FLOAT_COLUMN[:-1] + zigzag(size) + b"\x26" + zigzag(at) + b"\x00"
    chunk = (b"\x18" + varint(len(path)) + path if path else b"") + (
        (b"\x16" if path else b"\x26") + zigzag(at) + b"\x1c" + column + b"\x00"
    )
    group = b"\x19\x1c" + chunk + b"\x16\x08\x16\x02\x00"
    schema = b"\x48\x01r\x15\x02\x00" + b"\x15\x08\x25\x00\x18\x01x\x00"
    footer = b"\x15\x02\x19\x2c" + schema + b"\x16\x02\x19\x1c" + group
    if pairs:
        footer += b"\x19" + pairs
    footer += more + b"\x00"
    return (
        b"PAR1" + body + before_footer + footer + struct.pack("<I", len(footer)) + b"PAR1" + behind
    )


def pair(key: bytes, value: bytes) -> bytes:
    """A list of one entry of metadata."""
    return b"\x1c\x18" + varint(len(key)) + key + b"\x18" + varint(len(value)) + value + b"\x00"


def avro(schema: object = "long", *, behind: bytes = b"", sync: bytes = b"s" * 16) -> bytes:
    """A file of one block."""
    text = json.dumps(schema).encode()
    entries = zigzag(1) + zigzag(11) + b"avro.schema" + zigzag(len(text)) + text + zigzag(0)
    return b"Obj\x01" + entries + b"s" * 16 + zigzag(1) + zigzag(1) + b"\x02" + sync + behind


def database(*statements: tuple[str, tuple[object, ...]]) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table a (b)")
    for statement, values in statements:
        connection.execute(statement, values)
    connection.commit()
    return connection.serialize()


def test_tables_made_by_hand_have_no_finding():
    assert_clean(scanned(parquet(), "x.parquet"))
    assert_clean(scanned(parquet(pairs=pair(b"pandas", b"{}")), "x"))
    assert_clean(scanned(avro(), "x.avro"))
    assert_clean(scanned(avro({"type": "string", "java-class": "java.lang.String"}), "x.avro"))
    assert_clean(scanned(database(("insert into a values (?)", (1.5,))), "x.db"))


HOSTILE = {
    "parquet: bytes before the footer": (parquet(before_footer=HARMFUL), "TABLE-HIDDEN"),
    "parquet: bytes behind": (parquet(behind=HARMFUL), "TABLE-MALFORMED"),
    "parquet: a column elsewhere": (parquet(path=b"../../etc/hostname"), "TABLE-EXTERNAL"),
    "parquet: a column at an address": (parquet(path=b"s3://host.example/x"), "TABLE-EXTERNAL"),
    "parquet: a column past the end": (parquet(size=1 << 40), "TABLE-MALFORMED"),
    "parquet: a column before the start": (parquet(at=-1000), "TABLE-MALFORMED"),
    "parquet: footer of gigabytes": (b"PAR1" + struct.pack("<I", 1 << 31) + b"PAR1",
                                     "TABLE-MALFORMED"),
    "parquet: footer nests": (
        b"PAR1" + b"\x1c" * 200 + struct.pack("<I", 200) + b"PAR1", "TABLE-MALFORMED"),
    "parquet: list of billions": (
        b"PAR1\x29\xfc" + varint(1 << 35) + struct.pack("<I", 8) + b"PAR1", "TABLE-MALFORMED"),
    "parquet: field twice": (parquet(more=b"\x05\x02\x02"), "TABLE-MALFORMED"),
    "parquet: longer footer": (
        b"PAR1\x00more" + struct.pack("<I", 5) + b"PAR1", "TABLE-MALFORMED"),
    "parquet: a pickle in the metadata": (parquet(pairs=pair(b"k", HARMFUL)), "PICKLE-EXEC"),
    "parquet: a text pickle in the metadata": (
        parquet(pairs=pair(b"k", HARMFUL_PICKLE)), "PICKLE-EXEC"),
    "parquet: a pickle in base64": (
        parquet(pairs=pair(b"k", base64.b64encode(HARMFUL))), "PICKLE-EXEC"),
    "parquet: a schema that is none": (
        parquet(pairs=pair(b"ARROW:schema", b"AAAA")), "TABLE-MALFORMED"),
    "avro: bytes behind": (avro(behind=b"x"), "TABLE-MALFORMED"),
    "avro: a pickle behind": (avro(behind=HARMFUL), "TABLE-MALFORMED"),
    "avro: other marker": (avro(sync=b"t" * 16), "TABLE-MALFORMED"),
    "avro: no schema": (b"Obj\x01\x00" + bytes(16), "TABLE-MALFORMED"),
    "avro: a class": (
        avro({"type": "string", "java-class": "java.net.URL"}), "TABLE-CLASS"),
    "avro: a class for keys": (
        avro({"type": "map", "values": "int", "java-key-class": "x.Evil"}), "TABLE-CLASS"),
    "sqlite: bytes behind": (database() + HARMFUL, "TABLE-HIDDEN"),
    "sqlite: breaks off": (database()[:-100], "TABLE-MALFORMED"),
    "sqlite: a library in a view": (
        database(("create view v as select load_extension('x.so')", ())), "TABLE-STATEMENT"),
    "sqlite: a library in a trigger": (
        database(("create trigger t after insert on a begin select load_extension ('x'); end", ())),
        "TABLE-STATEMENT"),
    "sqlite: a file in a trigger": (
        database(("create trigger t after insert on a begin select writefile('x', 1); end", ())),
        "TABLE-STATEMENT"),
    "sqlite: a pickle in a cell": (
        database(("insert into a values (?)", (HARMFUL,))), "PICKLE-EXEC"),
    "sqlite: a pickle among others": (
        database(("insert into a values (?)", (b"x" * 900,)),
                 ("insert into a values (?)", (b"y" * 3 + HARMFUL,))), "PICKLE-EXEC"),
    "arrow: nothing but marks": (b"ARROW1\0\0" + bytes(4) + b"ARROW1", "TABLE-MALFORMED"),
}  # fmt: skip


@pytest.mark.parametrize("sample", HOSTILE)
def test_a_hostile_table_is_found(sample):
    data, rule = HOSTILE[sample]
    assert rule in grave_rules_of(scanned(data, "data"))


def test_an_encrypted_table_is_unread():
    assert scanned(parquet()[:-4] + b"PARE", "x").unread_parts
    assert scanned(parquet(more=b"\x4c\x1c\x00\x00"), "x").unread_parts


@pytest.fixture(scope="module")
def arrow():
    return pytest.importorskip("pyarrow", reason="pyarrow writes the tables")


def wide_table(arrow):
    pandas = pytest.importorskip("pandas", reason="pandas makes the table")
    numpy = pytest.importorskip("numpy", reason="numpy makes the table")
    count = 300
    frame = pandas.DataFrame(
        {
            "i": numpy.arange(count),
            "f": numpy.arange(count) / 3,
            "s": [f"text{n % 7}" for n in range(count)],
            "c": pandas.Categorical([["a", "b"][n % 2] for n in range(count)]),
            "d": pandas.date_range("2020", periods=count, freq="h", tz="UTC"),
            "p": pandas.period_range("2020", periods=count, freq="D"),
            "v": pandas.interval_range(0, count),
            "l": [[1, 2]] * count,
            "r": [{"a": 1}] * count,
            "b": [b"bytes"] * count,
        }
    )
    return arrow.Table.from_pandas(frame)


def ipc(arrow, table, *, stream: bool = False, **options) -> bytes:
    target = io.BytesIO()
    make = arrow.ipc.new_stream if stream else arrow.ipc.new_file
    with make(target, table.schema, options=arrow.ipc.IpcWriteOptions(**options)) as writer:
        for batch in table.to_batches(100):
            writer.write_batch(batch)
    return target.getvalue()


def test_what_pyarrow_writes_has_no_finding(arrow):
    from pyarrow import parquet as writer

    table = wide_table(arrow)
    for options in (
        {"compression": "snappy"},
        {"compression": "zstd", "row_group_size": 50},
        {"compression": None, "use_dictionary": False, "write_page_index": True},
        {"version": "1.0", "write_statistics": False},
        {"data_page_version": "2.0", "compression": "gzip"},
    ):
        target = io.BytesIO()
        writer.write_table(table, target, **options)
        assert_clean(scanned(target.getvalue(), "x.parquet"))
        changed = target.getvalue()[:-8] + b"\0" + target.getvalue()[-8:]
        assert grave_rules_of(scanned(changed, "x.parquet"))
    for stream in (False, True):
        for compression in (None, "lz4", "zstd"):
            data = ipc(arrow, table, stream=stream, compression=compression)
            assert_clean(scanned(data, "x.arrow"))
            assert "TABLE-MALFORMED" in grave_rules_of(scanned(data + b"behind12", "x.arrow"))
            assert "TABLE-MALFORMED" in grave_rules_of(scanned(data[: len(data) // 2], "x"))


def test_a_data_sets_own_footer_is_noted(arrow):
    from pyarrow import parquet as writer

    table = arrow.table({"x": [1, 2]})
    target, collected = io.BytesIO(), []
    writer.write_table(table, target, metadata_collector=collected)
    collected[0].set_file_path("year=2020/part-0.parquet")
    own = io.BytesIO()
    collected[0].write_metadata_file(own)
    assert rules_of(scanned(own.getvalue(), "_metadata")) == {"TABLE-EXTERNAL"}
    assert not grave_rules_of(scanned(own.getvalue(), "_metadata"))
    assert grave_rules_of(scanned(own.getvalue(), "part.parquet"))


@pytest.mark.parametrize("name", ["arrow.py_extension_type", "ray.data.arrow_pickled_object"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_type_that_is_unpickled_is_found(arrow, name, nested):
    from pyarrow import parquet as writer

    more = {"ARROW:extension:name": name, "ARROW:extension:metadata": HARMFUL}
    field = arrow.field("x", arrow.int32(), metadata=more)
    if nested:
        field = arrow.field("outer", arrow.struct([field]))
        table = arrow.table({"outer": arrow.array([{"x": 1}], field.type)},
                            schema=arrow.schema([field]))  # fmt: skip
    else:
        table = arrow.table({"x": arrow.array([1], arrow.int32())}, schema=arrow.schema([field]))
    target = io.BytesIO()
    writer.write_table(table, target)
    for data in (target.getvalue(), ipc(arrow, table), ipc(arrow, table, stream=True)):
        assert {"ARROW-PICKLE", "PICKLE-EXEC"} <= grave_rules_of(scanned(data, "x"))


def test_known_extension_types_have_no_finding(arrow):
    from pyarrow import parquet as writer

    storage = arrow.array([[1, 2]], arrow.list_(arrow.int32(), 2))
    tensor = arrow.ExtensionArray.from_storage(
        arrow.fixed_shape_tensor(arrow.int32(), [2]), storage
    )
    target = io.BytesIO()
    writer.write_table(arrow.table({"x": tensor}), target)
    assert_clean(scanned(target.getvalue(), "x.parquet"))


_SEEDS = (parquet(pairs=pair(b"k", b"v")), avro(), database())


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2), st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_changed_table_is_read_without_an_error(seed, at, new):
    data = _SEEDS[seed]
    at %= len(data)
    scanned(data[:at] + new + data[at + len(new) :], "x")


def test_a_changed_arrow_file_is_read_without_an_error(arrow):
    data = ipc(arrow, arrow.table({"x": [1], "y": ["a"]}))

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, len(data) - 1), st.binary(min_size=1, max_size=4))
    def changed(at, new):
        scanned(data[:at] + new + data[at + len(new) :], "x")

    changed()


def test_random_bytes_in_cells_have_no_finding():
    import random

    chance = random.Random(7)
    rows = [("insert into a values (?)", (chance.randbytes(5000),)) for _ in range(300)]
    starts = [("insert into a values (?)", (b"\x80\x04\x8c" + bytes([n]) * 90,)) for n in range(99)]
    assert_clean(scanned(database(*rows, *starts), "x.db"))
