"""One training from data to a model folder: what ``geomgan train`` calls."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import CheckpointError, OptionError, check_choice, check_folder
from geomgan.generators.outputs import mean_sample
from geomgan.models.build import build
from geomgan.models.card import is_model
from geomgan.models.measured import write_measured
from geomgan.runs.files import local_path
from geomgan.runs.lock import locked
from geomgan.training import bigan, gan, vae
from geomgan.training.data import Digits
from geomgan.training.datasets import Images
from geomgan.training.digit_networks import SIDE
from geomgan.training.judge import digit_features, frechet_distance, judged, probabilities
from geomgan.training.rbf import CENTERS

MODEL, CHECKPOINT = "model", "checkpoints/training.npz"
SAMPLES = 2000  # that are judged
KNOWN = 0.9  # of test images whose label the digit classifier must name before it judges samples
Picture = Callable[[int, np.ndarray], object]


@dataclass(frozen=True)
class Kind:
    """One kind of model that can be trained.

    Attributes:
        options: the defaults of its options.
        train: ``(images, key, options, **how) -> (params by part, seconds)``.
        sample: ``(state, key) -> images`` of a state of the training.
        card: ``options -> entries`` of the model's card.
    """

    options: Any
    train: Callable[..., tuple[dict[str, Any], float]]
    sample: Callable[[Any, jax.Array], Any]
    card: Callable[[Any], dict[str, Any]]


def _train_dcgan(images: Images, key: jax.Array, options: gan.GanOptions, **how: Any) -> tuple[dict[str, Any], float]:
    data = Digits(images.train_images, images.train_labels, images.test_images, images.test_labels)
    generator, seconds = gan.train_gan(data, key, options._replace(classes=len(images.classes)), **how)
    return {"generator": generator}, seconds


def _card_of(family: str, what: str) -> Callable[[Any], dict[str, Any]]:
    def card(options: Any) -> dict[str, Any]:
        centers = CENTERS * options.latent_dim
        sizes = {"latent_dim": options.latent_dim, "centers": centers, "channels": 1, "resolution": SIDE}
        return {
            "family": f"generative-latent-space-{family}",
            "summary": f"{what} as Michelis and Becker, 2021",
            "config": sizes,
        }

    return card


def _card_of_dcgan(_: Any) -> dict[str, Any]:
    sizes = {"latent_dim": gan.LATENT, "features": list(gan.GENERATOR.features), "channels": 1, "resolution": 32}
    return {"family": "dcgan-tutorial", "summary": "DCGAN", "config": sizes}


KINDS: dict[str, Kind] = {
    "vae": Kind(
        vae.VaeOptions(),
        lambda images, *rest, **how: vae.train_vae(images.train_images, *rest, **how),
        vae.sample_vae,
        _card_of("vae", "VAE with RBF variance"),
    ),
    "bigan": Kind(
        bigan.BiganOptions(),
        lambda images, *rest, **how: bigan.train_bigan(images.train_images, *rest, **how),
        bigan.sample_bigan,
        _card_of("bigan", "BiGAN"),
    ),
    "dcgan": Kind(gan.GanOptions(), _train_dcgan, gan.sample_gan, _card_of_dcgan),
}


def train(
    kind: str,
    images: Images,
    *,
    key: jax.Array,
    out: str | os.PathLike[str],
    options: Mapping[str, Any] | None = None,
    card: Mapping[str, Any] | None = None,
    every: int = 500,
    picture: Picture | None = None,
    picture_every: int = 1000,
    progress: bool = True,
) -> Path:
    """Train a model and write it as a folder that ``geomgan.load`` opens; the same call goes on where it was stopped.

    Args:
        kind: ``"vae"``, ``"bigan"`` or ``"dcgan"``.
        images: from :func:`load_images`.
        key: random key: the model is a function of it, the images and the options.
        out: folder: ``model`` is the model; ``checkpoints`` holds the state, optimiser and key included, and the loss
            curves (CSV).
        options: of `VaeOptions`, `BiganOptions` or `GanOptions`, by name; the others are the published ones.
        card: further entries of the model's card, such as ``licence`` and ``source``.
        every: steps between checkpoints.
        picture: called with the number of steps and 100 samples ``(100, H, W, 1)`` of always the same codes.
        picture_every: steps between two pictures.
        progress: whether to show progress bars.

    Returns:
        The model's folder. Its card has the ``figures`` of :func:`figures`.

    Raises:
        OptionError: no such kind or option, or a value that it cannot have.
        CheckpointError: ``out`` holds a training of other data, kind, options or key.
        NotFiniteError: the training diverged.
        StoreError: ``out`` is in use or cannot be written.
    """
    check_choice(kind, KINDS, "kind")
    of_kind = KINDS[kind]
    chosen = checked_options(kind, options or {})
    out = local_path(out)
    check_folder(out, "the training")
    if (out / MODEL).exists() and not is_model(out / MODEL):
        raise CheckpointError(f"{out / MODEL} is there and is no model. Name another folder, or remove it.")
    out.mkdir(parents=True, exist_ok=True)
    key_picture, key_judge = (jax.random.fold_in(key, i) for i in range(2))
    draw = None
    if picture is not None:
        draw = lambda state: picture(int(state.step), np.asarray(of_kind.sample(state, key_picture)))
    with locked(out):
        params, seconds = of_kind.train(
            images,
            key,
            chosen,
            checkpoint=out / CHECKPOINT,
            every=every,
            settings={"kind": kind, "images": _fingerprint(images), "key": jax.random.key_data(key).tolist()},
            progress=progress,
            picture=draw,
            picture_every=picture_every,
        )
        entries = {
            "output_range": [-1, 1],
            "prior": "z ~ N(0, I)",
            **of_kind.card(chosen),
            **(card or {}),
        }
        measured = figures(entries, params, images, key_judge)
        settings = {name: value for name, value in chosen._asdict().items() if name != "latent_dim"}
        entries |= {"training": {**settings, "seconds": round(seconds, 1), "images": len(images.train_images)}}
        entries |= {"figures": measured}
        return write_measured(out / MODEL, entries, params)


def checked_options(kind: str, options: Mapping[str, Any]) -> Any:
    """The options of a kind with some of them changed, each of the type and range that it must have."""
    defaults = KINDS[kind].options
    for name, value in options.items():
        check_choice(name, defaults._fields, "option")
        whole = isinstance(getattr(defaults, name), int) and name != "epochs"
        least_is_zero = name in ("decay", "weight_decay", "average", "label_weight", "class_weight")
        number = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
        if not number or value < 0 or (value == 0 and not least_is_zero) or (whole and value != int(value)):
            kinds = "a whole number" if whole else "a number"
            raise OptionError(f"{name}={value}: expected {kinds} {'from' if least_is_zero else 'above'} 0.")
    return defaults._replace(**options)


def figures(card: Mapping[str, Any], params: Any, images: Images, key: jax.Array) -> dict[str, Any]:
    """What is measured of a trained model.

    Returns:
        ``reconstruction_mse`` of test images through the encoder, where there is one. Of digits also the share of
        ``reconstructed_digits`` that the classifier still takes for what they were, what :func:`judged` says of 2000
        samples, and the ``frechet_distance`` of the classifier's features between them and as many test images.
        Whether images are digits is asked of the classifier, which must know their labels.
    """
    G: Any = build(card, params, None, "model", {})
    decode = jax.jit(lambda G, z: jax.vmap(lambda z: mean_sample(G.function(G.params, z)))(z))
    codes = jax.random.normal(key, (SAMPLES, G.latent_dim))
    samples = _by_batch(lambda z: decode(G, z), codes)
    every = max(1, len(images.test_images) // SAMPLES)
    test = np.asarray(images.test_images[::every][:SAMPLES], np.float32) / 127.5 - 1
    digits = _digits_of(images.test_labels[::every][:SAMPLES], images.classes)
    are_digits = digits is not None and _agreement(test, digits) > KNOWN
    found: dict[str, Any] = {}
    if "encoder" in params:
        encoder = build(card, params, "encoder", "encoder", {})
        encode = jax.jit(lambda E, x: jax.vmap(lambda x: mean_sample(E.function(E.params, x)))(x))
        again = _by_batch(lambda x: decode(G, encode(encoder, x)), jnp.asarray(test))
        found["reconstruction_mse"] = round(float(np.mean((again - test) ** 2)), 4)
        if are_digits:
            found["reconstructed_digits"] = round(_agreement(again, digits), 4)
    if are_digits:
        found |= judged(samples)
        if len(test) > 1:
            distance = frechet_distance(digit_features(samples), digit_features(test))
            found["frechet_distance"] = round(distance, 1)
    return found


def _digits_of(labels: np.ndarray, classes: tuple[str, ...]) -> np.ndarray | None:
    """Labels as digits, where their names are; None otherwise, and where there are none."""
    if len(labels) == 0 or not all(name.isdecimal() and int(name) < 10 for name in classes):
        return None
    return np.array([int(name) for name in classes])[labels]


def _agreement(images: np.ndarray, digits: Any) -> float:
    """The share of images that the digit classifier takes for those digits."""
    return float((probabilities(images).argmax(1) == digits).mean())


def _by_batch(function: Callable[[Any], Any], x: Any, batch: int = 250) -> np.ndarray:
    return np.concatenate([function(x[i : i + batch]) for i in range(0, len(x), batch)])


def _fingerprint(images: Images) -> str:
    """The sha256 of the training images and their labels."""
    digest = hashlib.sha256(np.ascontiguousarray(images.train_images).data)
    digest.update(np.ascontiguousarray(images.train_labels).data)
    return digest.hexdigest()
