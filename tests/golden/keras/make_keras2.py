"""A model that Keras 2 wrote, in both of its formats, and what it makes of a few codes.

Run by hand where ``tf_keras``, the last of Keras 2, is installed (made with 2.21.0): ``python make_keras2.py``.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import tf_keras as keras
from tf_keras import layers

HERE = Path(__file__).parent
FILES = ("old.h5", "old.keras")


def main():
    label, code = keras.Input((1,), dtype="int32", name="label"), keras.Input((5,), name="code")
    embedded = layers.Flatten()(layers.Embedding(4, 5)(label))
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(5), layers.LeakyReLU(), layers.BatchNormalization()])
    x = layers.Concatenate()([inner(inner(code)), layers.Multiply()([code, embedded])])
    x = layers.Dense(3 * 3 * 4, activation="hard_sigmoid")(x)
    x = layers.Dropout(0.5)(layers.Reshape((3, 3, 4))(x))
    x = layers.Conv2DTranspose(4, 5, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x, training=False)
    x = layers.ReLU(negative_slope=0.1)(x)
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    model = keras.Model([label, code], layers.Conv2D(2, 3, padding="same", activation="tanh")(x))
    rng = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(
            0.2 + rng.random(variable.shape) if "variance" in variable.name else rng.standard_normal(variable.shape) / 2
        )
    inputs = [rng.integers(0, 4, (2, 1)), rng.standard_normal((2, 5)).astype("f4")]
    samples = model(inputs, training=False).numpy()
    with zipfile.ZipFile(HERE / "old.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in FILES:
            model.save(f"/tmp/{file}")
            archive.write(f"/tmp/{file}", file)
    arrays = {"input0": inputs[0], "input1": inputs[1], "samples": samples}
    np.savez_compressed(HERE / "old.npz", **{f"{file}/{k}": v for file in FILES for k, v in arrays.items()})


if __name__ == "__main__":
    main()
