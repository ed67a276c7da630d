"""Keras models in its own format, in HDF5, as weights, and as graphs of TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from samples.honest import Writers


def _pictures() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.RandomFlip(),
            layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(),
            layers.MaxPooling2D(), layers.SeparableConv2D(4, 3), layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2), layers.Dense(2, activation="softmax"),
        ]
    )  # fmt: skip


def _sequences() -> Any:
    import keras

    layers = keras.layers
    words = keras.Input((9,), dtype="int32")
    x = layers.Embedding(50, 8, mask_zero=True)(words)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.LayerNormalization()(x)
    x = layers.TimeDistributed(layers.Dense(4, activation="gelu"))(x)
    x = layers.GRU(4)(x)
    return keras.Model(words, layers.Dense(1, activation="sigmoid")(x))


def _joined() -> Any:
    import keras

    layers = keras.layers
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    normal = layers.Normalization()
    normal.adapt(np.random.rand(9, 4))
    joined = layers.Concatenate()([normal(left), layers.Dense(4, kernel_regularizer="l2")(right)])
    added = layers.Add()([joined, layers.PReLU()(joined)])
    return keras.Model({"left": left, "right": right}, layers.Dense(1)(added))


def _compiled(model: Any) -> Any:
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    return model


def native(folder: Path) -> None:
    for name, make in (("pictures", _pictures), ("sequences", _sequences), ("joined", _joined)):
        _compiled(make()).save(folder / f"{name}.keras")


def hdf5(folder: Path) -> None:
    for name, make in (("pictures", _pictures), ("sequences", _sequences)):
        _compiled(make()).save(folder / f"{name}.h5")


def weights(folder: Path) -> None:
    model = _compiled(_pictures())
    model.save_weights(folder / "model.weights.h5")
    (folder / "model.json").write_text(model.to_json())


def exported(folder: Path) -> None:
    _pictures().export(folder / "saved_model", verbose=False)


def trained(folder: Path) -> None:
    import keras

    model = _compiled(keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)]))
    model.optimizer = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.1, 9))
    model.compile(optimizer=model.optimizer, loss=keras.losses.Huber(), metrics=["mse"])
    logs = keras.callbacks.CSVLogger(str(folder / "log.csv"))
    board = keras.callbacks.TensorBoard(str(folder / "logs"))
    best = keras.callbacks.ModelCheckpoint(str(folder / "best.keras"))
    data = np.random.rand(9, 3)
    model.fit(data, data[:, 0], epochs=2, verbose=0, callbacks=[logs, board, best])


WRITERS: Writers = {
    "the native format": native,
    "HDF5": hdf5,
    "weights and architecture": weights,
    "an exported SavedModel": exported,
    "a training run": trained,
}
