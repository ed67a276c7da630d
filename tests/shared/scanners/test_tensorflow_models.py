"""What TensorFlow and Keras write passes, whole folders at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from samples.scanned import assert_clean, scanned, scanned_folder

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf: Any = pytest.importorskip("tensorflow", reason="TensorFlow writes the honest models")
keras: Any = pytest.importorskip("keras")
np: Any = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def module(tmp_path_factory) -> Path:
    """A module with variables, tables, an asset, loops, branches and messages."""
    folder = tmp_path_factory.mktemp("module")
    words = folder / "words.txt"
    words.write_text("a\nb\nc\n")

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.weights = tf.Variable([1.0, 2.0])
            self.asset = tf.saved_model.Asset(str(words))
            from_file = tf.lookup.TextFileInitializer(
                self.asset, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
            )  # fmt: skip
            self.table = tf.lookup.StaticHashTable(from_file, -1)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def find(self, text):
            tf.print("looking up", tf.size(text))
            return self.table.lookup(tf.strings.lower(text))

        @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
        def turn(self, numbers):
            count = tf.constant(0)
            while count < 3:
                numbers, count = numbers * self.weights, count + 1
            if tf.reduce_sum(numbers) > 3:
                numbers = tf.map_fn(lambda one: one * 2, numbers)
            return tf.linalg.l2_normalize(numbers)

    one = Module()
    tf.saved_model.save(one, folder / "model", signatures={"serving_default": one.find})
    return folder / "model"


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """A Keras model as `export` writes it."""
    model = keras.Sequential(
        [keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()]
    )
    folder = tmp_path_factory.mktemp("keras") / "model"
    model.export(folder, verbose=False)
    return folder


def test_a_module_with_tables_and_assets_passes(module):
    assert_clean(scanned_folder(module))


def test_an_exported_keras_model_passes(exported):
    assert_clean(scanned_folder(exported))


def test_the_same_model_as_text_passes(exported, tmp_path):
    from google.protobuf import text_format
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel()
    message.ParseFromString((exported / "saved_model.pb").read_bytes())
    text = text_format.MessageToString(message)
    assert_clean(scanned(text.encode(), "saved_model.pbtxt"))


@pytest.mark.parametrize("optimized", [False, True])
def test_a_converted_model_passes(exported, optimized):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(exported))
    if optimized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    assert_clean(scanned(converter.convert(), "model.tflite"))


def test_checkpoints_pass(tmp_path):
    numbers = np.random.default_rng(0).random((50, 20))
    tracked = tf.train.Checkpoint(step=tf.Variable(3), weights=tf.Variable(numbers))
    tf.train.CheckpointManager(tracked, str(tmp_path), 3).save()
    assert_clean(scanned_folder(tmp_path))


def test_old_graphs_and_checkpoints_pass(tmp_path):
    old = tf.compat.v1
    with tf.Graph().as_default() as graph, old.Session() as session:
        x = old.placeholder(tf.float32, [None, 3], name="x")
        y = tf.matmul(x, old.get_variable("w", [3, 2]), name="y")
        session.run(old.global_variables_initializer())
        old.train.Saver().save(session, str(tmp_path / "model.ckpt"), global_step=5)
        old.saved_model.simple_save(session, str(tmp_path / "saved"), {"x": x}, {"y": y})
        frozen = old.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["y"])
    (tmp_path / "frozen.pb").write_bytes(frozen.SerializeToString())
    report = scanned_folder(tmp_path)
    assert not report.unread_parts
    # The list of checkpoints holds absolute paths, as TensorFlow 1 writes them.
    assert {one.rule for one in report.findings if one.path != "checkpoint"} == set()


def test_logs_and_data_sets_pass(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path / "logs"))
    with writer.as_default():
        tf.summary.scalar("loss", 0.5, step=1)
        tf.summary.histogram("weights", np.arange(9.0), step=1)
        tf.summary.text("note", "hello", step=1)
    writer.close()
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0, 2.0]))
    example = tf.train.Example(features=tf.train.Features(feature={"a": feature}))
    with tf.io.TFRecordWriter(str(tmp_path / "data.tfrecord")) as records:
        records.write(example.SerializeToString())
    assert_clean(scanned_folder(tmp_path))
