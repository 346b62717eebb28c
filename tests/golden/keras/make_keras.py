"""Models that Keras itself wrote, with random weights, and what it makes of a few codes.

Run by hand where Keras 3 is installed beside JAX (made with Keras 3.15.1, h5py 3.16.0):
``KERAS_BACKEND=jax python make_keras.py``.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
import h5py
import keras
import numpy as np
from keras import layers

HERE, FILES = Path(__file__).parent, Path(tempfile.mkdtemp())


def dcgan():
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(4 * 4 * 8, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Reshape((4, 4, 8)),
            layers.Conv2DTranspose(6, 5, padding="same", use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Dropout(0.3),
            layers.Conv2DTranspose(5, 5, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(4, 4, strides=2, padding="same", activation=layers.LeakyReLU(0.1)),
            layers.Conv2DTranspose(3, (3, 2), strides=(1, 3), output_padding=(0, 1), activation="tanh"),
        ]
    )


def images():
    """Most layers of maps, in a functional graph."""
    code = keras.Input((8,))
    x = layers.Dense(5 * 6 * 4, activation="gelu")(code)
    x = layers.Reshape((5, -1, 4))(x)
    nearest = layers.UpSampling2D((2, 3))(x)
    smooth = layers.UpSampling2D((2, 3), interpolation="bilinear")(x)
    cubic = layers.UpSampling2D((2, 3), interpolation="bicubic")(x)
    lanczos = layers.UpSampling2D((2, 3), interpolation="lanczos3")(x)
    x = layers.Concatenate()([layers.Add()([nearest, smooth]), layers.Multiply()([cubic, lanczos])])
    x = layers.ZeroPadding2D(((1, 2), (0, 3)))(x)
    x = layers.Conv2D(6, (3, 4), padding="same", strides=2, activation="silu")(x)
    x = layers.GroupNormalization(3)(x)
    x = layers.Conv2D(6, 3, dilation_rate=2, padding="same", groups=2)(x)
    x = layers.LayerNormalization()(x)
    x = layers.PReLU(shared_axes=[1])(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="softsign")(x)
    x = layers.SeparableConv2D(5, 3, padding="same")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    y = layers.AveragePooling2D(3, strides=1, padding="same")(x)
    x = layers.Subtract()([x, y]) * 2.0 + y
    x = layers.Cropping2D(((0, 1), (1, 0)))(x)
    x = layers.Permute((2, 1, 3))(x)
    x = layers.ReLU(max_value=1.5, negative_slope=0.1)(x)
    gate = layers.Dense(5, activation="hard_sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, gate])
    x = layers.RMSNormalization()(x)
    x = layers.Conv2D(3, 1, activation="sigmoid", name="image")(x)
    return keras.Model(code, layers.Rescaling(2.0, -1.0)(x))


def conditional():
    """A label first, then the code; a model inside that is called twice."""
    label, code = keras.Input((1,), dtype="int32", name="label"), keras.Input((5,), name="code")
    embedded = layers.Flatten()(layers.Embedding(4, 5)(label))
    parts = [keras.Input((5,)), layers.Dense(5, activation="elu"), layers.BatchNormalization()]
    inner = keras.Sequential(parts, name="inner")
    x = layers.Concatenate()([inner(inner(code)), layers.Multiply()([code, embedded])])
    x = layers.Dense(4 * 4 * 3, activation=None)(x)
    return keras.Model([label, code], layers.Activation("tanh")(layers.Reshape((4, 4, 3))(x)))


def audio():
    code = keras.Input((4,))
    x = layers.RepeatVector(3)(code)
    x = layers.Conv1DTranspose(6, 25, strides=4, padding="same", activation="relu")(x)
    x = layers.UpSampling1D(2)(x)
    x = layers.SpectralNormalization(layers.Conv1D(5, 4, padding="causal", activation="mish"))(x)
    x = layers.LayerNormalization(axis=[1, 2], epsilon=0.01)(x)
    x = layers.Cropping1D((1, 2))(layers.ZeroPadding1D(2)(x))
    return keras.Model(code, layers.Dense(1, activation="tanh")(x))


def volume():
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(2 * 2 * 2 * 4),
            layers.Reshape((2, 2, 2, 4)),
            layers.Conv3DTranspose(3, 3, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.UpSampling3D((1, 2, 1)),
            layers.Conv3D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def first():
    """Channels first."""
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3 * 2 * 4),
            layers.Reshape((4, 3, 2)),
            layers.BatchNormalization(axis=1),
            layers.Conv2DTranspose(3, 4, strides=2, padding="same", data_format="channels_first", activation="relu"),
            layers.UpSampling2D(2, data_format="channels_first"),
            layers.Conv2D(2, 3, padding="same", data_format="channels_first"),
        ]
    )


MODELS = {
    "dcgan.keras": dcgan,
    "dcgan.h5": dcgan,
    "images.keras": images,
    "images.h5": images,
    "conditional.keras": conditional,
    "conditional.h5": conditional,
    "audio.keras": audio,
    "audio.h5": audio,
    "volume.keras": volume,
    "first.keras": first,
}


def inputs_of(model, rng):
    def of(x):
        shape = (2, *x.shape[1:])
        return rng.integers(0, 4, shape) if "int" in str(x.dtype) else rng.standard_normal(shape).astype("f4")

    return [of(x) for x in model.inputs]


def main():
    written = {}
    for file, make in MODELS.items():
        keras.backend.clear_session()
        model, rng = make(), np.random.default_rng(0)
        for variable in model.variables:
            value = rng.standard_normal(variable.shape) / np.sqrt(max(1, np.prod(variable.shape[:-1])) / 2)
            if "variance" in variable.path or "gamma" in variable.path or "scale" in variable.path:
                value = 0.5 + rng.random(variable.shape)
            variable.assign(value)
        model.save(FILES / file)
        inputs = inputs_of(model, rng)
        for i, array in enumerate(inputs):
            written[f"{file}/input{i}"] = array
        written[f"{file}/samples"] = np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    plain()
    unusual()
    with zipfile.ZipFile(HERE / "files.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(FILES.iterdir()):
            archive.write(path, path.name)
    np.savez_compressed(HERE / "samples.npz", **written)


def plain():
    """What our reader of HDF5 must read besides."""
    with h5py.File(FILES / "plain.h5", "w") as file:
        file.attrs["text"] = "größer"
        file.attrs["texts"] = ["a", "bc" * 40, ""]
        file.attrs["fixed"] = np.array([b"kernel", b"bias"])
        file.attrs["number"], file.attrs["numbers"] = 2.5, np.arange(3)
        file.attrs["none"] = h5py.Empty("f")
        for i, kind in enumerate(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u1", ">f4", ">i2"]):
            file[f"types/{i}"] = np.arange(6).reshape(2, 3).astype(kind)
        file["empty"], file["one"] = np.zeros((0, 3)), np.float32(7)
        for i in range(20):  # more than one table holds
            file[f"many/layer_{i}/vars/0"] = np.full(2, i, "f4")


def unusual():
    """What h5py writes when asked, and we refuse."""
    with h5py.File(FILES / "packed.h5", "w") as file:
        file.create_dataset("a", data=np.zeros(1000, "i1"), compression="gzip")
    with h5py.File(FILES / "pieces.h5", "w") as file:
        file.create_dataset("a", data=np.zeros(9, "i1"), chunks=(3,))
    with h5py.File(FILES / "latest.h5", "w", libver="latest") as file:
        file["a"] = np.zeros(3)
    with h5py.File(FILES / "soft.h5", "w") as file:
        file["a"], file["b"] = np.zeros(3), h5py.SoftLink("/a")
    with h5py.File(FILES / "elsewhere.h5", "w") as file:
        file["b"] = h5py.ExternalLink("/etc/passwd", "/")
    with h5py.File(FILES / "outside.h5", "w") as file:
        file.create_dataset("a", (3,), "u1", external=[("/etc/passwd", 0, 3)])
    with h5py.File(FILES / "twice.h5", "w") as file:
        file["a"] = np.zeros(3)
        file["b"] = file["a"]
    with h5py.File(FILES / "ordered.h5", "w", track_order=True) as file:
        file["a"] = np.zeros(3)


if __name__ == "__main__":
    main()
