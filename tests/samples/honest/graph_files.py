"""Graphs and tensors of ONNX, TensorFlow, TFLite, JAX and GGUF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from samples.honest import Writers

X = np.random.RandomState(0).rand(40, 3)
CLASSES = np.arange(40) % 2


def onnx_of_estimators(folder: Path) -> None:
    from skl2onnx import to_onnx
    from sklearn import ensemble, linear_model, pipeline, preprocessing, svm

    for name, model in (
        ("forest", ensemble.RandomForestClassifier(3)),
        ("pipeline", pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC())),
        ("linear", linear_model.LinearRegression()),
    ):
        made = to_onnx(model.fit(X, CLASSES), X[:1].astype("float32"))
        (folder / f"{name}.onnx").write_bytes(made.SerializeToString())


def onnx_external(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.random.rand(64, 64).astype("float32"), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 64])],
        [weight],
    )
    onnx.save_model(
        helper.make_model(graph), folder / "model.onnx", save_as_external_data=True,
        all_tensors_to_one_file=True, location="model.onnx.data", size_threshold=0,
    )  # fmt: skip


def saved_module(folder: Path) -> None:
    import tensorflow as tf

    class Scaled(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(tf.random.normal([3, 2]))

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
        def __call__(self, x: Any) -> Any:
            return tf.nn.relu(tf.matmul(x, self.w))

    tf.saved_model.save(Scaled(), str(folder / "module"))


def frozen_graph(folder: Path) -> None:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as freeze,
    )

    weight = tf.Variable(tf.random.normal([3, 2]))
    function = tf.function(lambda x: tf.nn.softmax(tf.matmul(x, weight)))
    frozen = freeze(function.get_concrete_function(tf.TensorSpec([None, 3], tf.float32)))
    tf.io.write_graph(frozen.graph, str(folder), "frozen.pb", as_text=False)


def checkpoint(folder: Path) -> None:
    import tensorflow as tf

    tf.train.Checkpoint(w=tf.Variable(tf.random.normal([30, 20])), step=tf.Variable(3)).save(
        str(folder / "ckpt")
    )


def tflite(folder: Path) -> None:
    import tensorflow as tf

    weight = tf.Variable(tf.random.normal([3, 2]))
    function = tf.function(lambda x: tf.nn.relu(tf.matmul(x, weight)))
    concrete = function.get_concrete_function(tf.TensorSpec([1, 3], tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    (folder / "model.tflite").write_bytes(converter.convert())


def flax_messages(folder: Path) -> None:
    import flax.serialization
    import jax.numpy as jnp

    tree = {"params": {"dense": {"kernel": jnp.ones((30, 20)), "bias": jnp.zeros(20)}}, "step": 3}
    (folder / "flax_model.msgpack").write_bytes(flax.serialization.msgpack_serialize(tree))


def gguf_model(folder: Path) -> None:
    import gguf

    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    writer.add_name("tiny")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b", "<s>"])
    writer.add_token_types([1, 1, 3])
    writer.add_chat_template("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    writer.add_tensor("token_embd.weight", np.random.rand(3, 32).astype("float32"))
    quantized = gguf.quants.quantize(
        np.random.rand(32, 32).astype("float32"), gguf.GGMLQuantizationType.Q8_0
    )
    writer.add_tensor("blk.0.w", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def safetensors_shards(folder: Path) -> None:
    import json

    from safetensors.numpy import save_file

    names = {}
    for shard in (1, 2):
        name = f"model-{shard:05}-of-00002.safetensors"
        save_file({f"w{shard}": np.random.rand(40, 40)}, folder / name, {"format": "pt"})
        names[f"w{shard}"] = name
    index = {"metadata": {"total_size": 25600}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


WRITERS: Writers = {
    "ONNX of estimators": onnx_of_estimators,
    "ONNX with its data beside it": onnx_external,
    "a SavedModel of a module": saved_module,
    "a frozen graph": frozen_graph,
    "a checkpoint of TensorFlow": checkpoint,
    "TFLite": tflite,
    "Flax messages": flax_messages,
    "GGUF": gguf_model,
    "safetensors in shards": safetensors_shards,
}
