"""Vectors, matrices and checksums, followed by their own counts; Spark's pipelines beside them."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned, scanned_folder

HARMFUL = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."


def fasttext(*, words: int = 2, rows: int = 2, version: int = 12, quantised: bool = False) -> bytes:
    """A model as fastText writes it."""
    out = struct.pack("<ii", 793712314, version) + bytes(56)
    out += struct.pack("<iiiqq", words, 2, 0, 10, -1)
    out += b"".join(b"word%d\0" % n + struct.pack("<qb", 5, 0) for n in range(2))
    matrix = struct.pack("<qq", rows, 3) + bytes(4 * 2 * 3)
    if quantised:
        quantizer = struct.pack("<iiii", 1, 1, 1, 1) + bytes(4 * 256)
        first = b"\1\1" + struct.pack("<qqi", 2, 1, 2) + bytes(2) + quantizer + bytes(2) + quantizer
        return out + first + b"\0" + matrix
    return out + b"\0" + matrix + b"\0" + matrix


def word2vec(*, count: int = 2) -> bytes:
    return b"%d 2\n" % count + b"".join(
        word + b" " + struct.pack("<ff", 1, 2) + b"\n" for word in (b"cat", b"dog")
    )


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matlab(*, array: int = 6, inner: bytes = b"") -> bytes:
    """A file of one array of the class `array`."""
    body = element(6, struct.pack("<II", array, 0)) + element(5, struct.pack("<ii", 1, 1))
    body += element(1, b"x") + (inner or element(9, struct.pack("<d", 1.5)))
    return b"MATLAB 5.0".ljust(124) + b"\0\1IM" + element(14, body)


MOTOROLA = (
    b"MATLAB 5.0".ljust(124) + b"\1\0MI" + struct.pack(">II", 14, 56)
    + struct.pack(">6I", 6, 8, 6, 0, 5, 8) + struct.pack(">4I", 1, 1, 0x00010001, 0x78000000)
    + struct.pack(">IId", 9, 8, 1.5)
)  # fmt: skip
CHECKSUMS = b"crc\0" + struct.pack(">I", 512) + bytes(range(100, 140))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (fasttext(), "model.bin"),
        (fasttext(quantised=True), "model.ftz"),
        (word2vec(), "vectors.bin"),
        (matlab(), "x.mat"),
        (MOTOROLA, "x.mat"),
        (matlab(array=1, inner=matlab()[128:]), "cell.mat"),
        (CHECKSUMS, ".part-00000.crc"),
        (b"crc\0\0\0\2\0", "._SUCCESS.crc"),
        (b"", "_SUCCESS"),
    ],
)
def test_honest_files_have_no_finding(data, name):
    assert_clean(scanned(data, name))


def test_what_gensim_and_scipy_write_has_no_finding(tmp_path):
    gensim = pytest.importorskip("gensim.models", reason="gensim writes the vectors")
    model = gensim.Word2Vec([["a", "b", "c"], ["größe", "b"]], vector_size=4, min_count=1)
    model.wv.save_word2vec_format(str(tmp_path / "x.bin"), binary=True)
    model.wv.save_word2vec_format(str(tmp_path / "x.txt"), binary=False)
    fast = gensim.FastText([["a", "b", "c"]], vector_size=4, min_count=1, bucket=10)
    gensim.fasttext.save_facebook_model(fast, str(tmp_path / "ft.bin"))
    matrices = pytest.importorskip("scipy.io", reason="scipy writes the matrices")
    content = {"a": [[1, 2], [3, 4]], "s": "text", "d": {"x": 1.5, "y": ["p", "qq"]}}
    for packed in (False, True):
        matrices.savemat(tmp_path / f"{packed}.mat", content, do_compression=packed)
    for path in sorted(tmp_path.iterdir()):
        assert_clean(scanned(path.read_bytes(), path.name))


HOSTILE = {
    "fasttext: bytes behind": fasttext() + b"x",
    "fasttext: a pickle behind": fasttext() + HARMFUL,
    "fasttext: billions of words": fasttext(words=1 << 30),
    "fasttext: a word without end": fasttext()[:100],
    "fasttext: rows past the end": fasttext(rows=1 << 40),
    "fasttext: negative rows": fasttext(rows=-1),
    "fasttext: version": fasttext(version=99),
    "word2vec: bytes behind": word2vec() + b"xx",
    "word2vec: a pickle behind": word2vec() + HARMFUL,
    "word2vec: more words": word2vec(count=3),
    "word2vec: millions of words": word2vec(count=99_999_999),
    "matlab: breaks off": matlab()[:-8],
    "matlab: bytes behind": matlab() + HARMFUL,
    "matlab: unknown class": matlab(array=99),
    "checksums: odd length": CHECKSUMS + b"x",
}


@pytest.mark.parametrize("sample", HOSTILE)
def test_a_file_that_breaks_its_format_is_found(sample):
    assert "VECTORS-MALFORMED" in grave_rules_of(scanned(HOSTILE[sample], "x"))


@pytest.mark.parametrize("kind", [3, 16, 17])
def test_functions_and_objects_of_matlab_are_held(kind):
    assert "VECTORS-OBJECT" in grave_rules_of(scanned(matlab(array=kind), "x.mat"))
    nested = matlab(array=1, inner=matlab(array=kind)[128:])
    assert "VECTORS-OBJECT" in grave_rules_of(scanned(nested, "x.mat"))


def test_a_pickle_among_checksums_is_found():
    data = b"crc\0\0\0\2\0" + HARMFUL + bytes(-len(HARMFUL) % 4)
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data, "x.crc"))


def stage(name: object, **parameters: object) -> bytes:
    return json.dumps(
        {
            "class": name,
            "timestamp": 1,
            "sparkVersion": "3.5.1",
            "uid": "x_1",
            "paramMap": parameters,
            "defaultParamMap": {},
        }
    ).encode()


@pytest.mark.parametrize(
    "name",
    [
        "org.apache.spark.ml.PipelineModel",
        "org.apache.spark.ml.feature.StringIndexerModel",
        "org.apache.spark.ml.classification.LogisticRegressionModel",
        "pyspark.ml.pipeline.PipelineModel",
        "org.apache.spark.ml.feature.ColumnPruner",
    ],
)
def test_sparks_own_stages_have_no_finding(name):
    assert_clean(scanned(stage(name, inputCol="a") + b"\n", "metadata/part-00000"))


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "evil.Stage",
        "org.example.Stage",
        "org.apache.spark.ml.feature.Evil",
        "org.apache.spark.ml.PipelineModel.x",
        "org.apache.spark.repl.Main",
        "pyspark.cloudpickle.loads",
        ["org.apache.spark.ml.PipelineModel"],
        None,
    ],
)
def test_a_stage_of_another_class_is_held(name):
    assert "SPARK-CLASS" in grave_rules_of(scanned(stage(name), "metadata/part-00000"))


def test_a_second_class_in_one_object_is_held():
    data = stage("org.apache.spark.ml.PipelineModel")[:-1] + b', "class": "os.system"}'
    assert "SPARK-CLASS" in grave_rules_of(scanned(data, "part-00000"))


def test_a_class_for_python_is_held():
    data = stage("org.apache.spark.ml.PipelineModel", pythonClass="os.system")
    assert "SPARK-CLASS" in grave_rules_of(scanned(data, "part-00000"))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT reflect('java.lang.Runtime', 'getRuntime') FROM __THIS__",
        "SELECT java_method ('x', 'y')",
        "SELECT TRANSFORM(a) USING 'sh -c true' FROM __THIS__",
        "ADD JAR x.jar",
    ],
)
def test_sql_that_calls_out_is_found(statement):
    data = stage("org.apache.spark.ml.feature.SQLTransformer", statement=statement)
    assert "SPARK-SQL" in grave_rules_of(scanned(data, "part-00000"))


def test_plain_sql_and_other_objects_have_no_finding():
    data = stage("org.apache.spark.ml.feature.SQLTransformer", statement="SELECT * FROM __THIS__")
    assert_clean(scanned(data, "part-00000"))
    assert not rules_of(scanned(b'{"class": "cat", "uid": 3, "name": "x"}', "labels.json"))


GRAPH = (
    '<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" name="w" type="Const">'
    '<data element_type="f32" shape="2" offset="0" size="{}"/></layer></layers></net>'
)


def test_the_constants_of_an_openvino_graph_pass_by_its_description(tmp_path):
    (tmp_path / "model.xml").write_text(GRAPH.format(32))
    (tmp_path / "model.bin").write_bytes(struct.pack("<8f", *range(1, 9)))
    assert_clean(scanned_folder(tmp_path))


def test_constants_that_the_graph_does_not_describe_are_held(tmp_path):
    (tmp_path / "model.xml").write_text(GRAPH.format(32))
    (tmp_path / "model.bin").write_bytes(struct.pack("<8f", *range(1, 9)) + b"\1more" * 40)
    assert grave_rules_of(scanned_folder(tmp_path))
    (tmp_path / "model.bin").write_bytes(b"\1")
    assert grave_rules_of(scanned_folder(tmp_path))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([fasttext(), fasttext(quantised=True), word2vec(), matlab(), CHECKSUMS]),
    st.integers(0, 200),
    st.binary(min_size=1, max_size=4),
)
def test_a_changed_file_is_read_without_an_error(data, at, new):
    scanned(data[:at] + new + data[at + len(new) :], "x")
