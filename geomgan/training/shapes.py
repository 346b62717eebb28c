"""Train the generator ``shapes``, whose factors are known, on the images of `geomgan.training.shapes_renderer`.

``python -m geomgan.training.shapes --out DIR`` takes some minutes on two CPU cores and needs no data. No adversary:
the network of the DCGAN learns to draw what the renderer draws for the same code, by least squares, with the batch
norms of `geomgan.training.batch_norm`. A run that was killed goes on from its last checkpoint when it is started again
with the same options.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.brief import brief
from geomgan.generators.dcgan import DCGAN
from geomgan.models.measured import write_measured
from geomgan.runs.loop import run
from geomgan.training.batch_norm import fold, generate, population_statistics
from geomgan.training.shapes_renderer import FACTORS, LATENT, NUISANCES, SIDE, factors_of, render, rotation

FEATURES = (128, 64, 32)
NOTE = (
    "Made to be known: a regression on rendered images, no adversarial training. Codes are N(0, I) in 10 dimensions; "
    "five directions, the first rows of factors.directions, decide five factors, the last two rows two nuisances that "
    "hardly show; the other three dimensions do nothing. A factor is low + (high - low) Φ(direction · z)."
)


class ShapesOptions(NamedTuple):
    """What a run is made of.

    Attributes:
        steps: Training steps.
        batch: Codes a step.
        learning_rate: Of Adam at first; it falls to zero along a half cosine.
    """

    steps: int = 6000
    batch: int = 64
    learning_rate: float = 1e-2


DEFAULTS = ShapesOptions()


@brief
class ShapesState(NamedTuple):
    """Everything the next training step depends on."""

    params: Any
    optimizer: Any
    step: jax.Array
    key: jax.Array


def train_shapes(
    Q: np.ndarray,
    key: jax.Array,
    options: ShapesOptions = DEFAULTS,
    *,
    checkpoint: Path | None = None,
    every: int = 500,
    progress: bool = True,
) -> tuple[Any, float]:
    """Train a network to draw what the renderer draws.

    Args:
        Q: The rotation of codes, `rotation`.
        key: Random key; the result is a function of it, ``Q`` and ``options``.
        options: Steps and sizes.
        checkpoint: File to go on from and to keep the latest state in.
        every: Steps between checkpoints.
        progress: Whether to show a progress bar.

    Returns:
        ``params`` of ``DCGAN(features=(128, 64, 32), channels=3)``, and the seconds of training.
    """
    target = jnp.asarray(Q, jnp.float32)
    state, seconds = run(
        lambda state: shapes_step(state, target, options),
        initial_shapes(key, options),
        options.steps,
        checkpoint=checkpoint,
        every=every,
        settings={**options._asdict(), "rotation": np.asarray(Q).tolist()},
        label="shapes",
        progress=progress,
    )
    return finished_shapes(state), seconds


def initial_shapes(key: jax.Array, options: ShapesOptions) -> ShapesState:
    """The state before the first step: kernels from N(0, 2 / fan-in) (He et al., 2015), biases zero."""
    key_params, key_train = jax.random.split(key)
    init = partial(DCGAN(FEATURES, 3).init, mutable=["params"])
    shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros(LATENT))["params"]
    params = {}
    for name, key_block in zip(shapes, jax.random.split(key_params, len(shapes)), strict=True):
        shape = shapes[name]["kernel"].shape
        taps = 1 if name == "block1" else 4  # of the 16, those that meet at one pixel: none overlap in the first block
        kernel = jax.random.normal(key_block, shape) * (2 / (taps * shape[2])) ** 0.5
        params[name] = {"kernel": kernel, "bias": jnp.zeros(shapes[name]["bias"].shape)}
        if name != "output":
            params[name]["scale"] = jnp.ones_like(params[name]["bias"])
    return ShapesState(params, _optimizer(options).init(params), jnp.asarray(0, jnp.int32), key_train)


@partial(jax.jit, static_argnames=("options",))
def shapes_step(state: ShapesState, Q, options: ShapesOptions) -> tuple[ShapesState, dict[str, jax.Array]]:
    """Lower the mean squared error of the images of fresh codes once."""
    codes = jax.random.normal(jax.random.fold_in(state.key, state.step), (options.batch, LATENT))
    images = jax.vmap(render)(factors_of(codes, Q))
    error = lambda params: jnp.square(generate(params, codes)[0] - images).mean()
    loss, grads = jax.value_and_grad(error)(state.params)
    updates, optimizer = _optimizer(options).update(grads, state.optimizer)
    params = optax.apply_updates(state.params, updates)
    return ShapesState(params, optimizer, state.step + 1, state.key), {"rms": jnp.sqrt(loss)}


def finished_shapes(state: ShapesState, batches: int = 40, batch: int = 250) -> Any:
    """``params`` of `DCGAN`: the weights with the population's batch norms folded in."""
    keys = jax.random.split(jax.random.fold_in(state.key, state.step), batches)
    codes = (jax.random.normal(key, (batch, LATENT)) for key in keys)
    return fold(state.params, population_statistics(generate, state.params, codes))


def evaluate(params: Any, Q: np.ndarray, key: jax.Array, samples: int = 2000, batch: int = 250) -> dict[str, float]:
    """How far the drawn images are from the rendered ones, for fresh codes.

    Returns:
        ``rms``, the root mean squared difference in units of the range (-1, 1), and ``explained``, the share of the
        images' variance around the mean image that the network draws.
    """
    target = jnp.asarray(Q, jnp.float32)
    draw = partial(DCGAN(FEATURES, 3).apply, {"params": params})
    both = jax.jit(lambda codes: (jax.vmap(draw)(codes), jax.vmap(render)(factors_of(codes, target))))
    keys = jax.random.split(key, -(-samples // batch))
    drawn, images = map(
        np.concatenate, zip(*(map(np.asarray, both(jax.random.normal(k, (batch, LATENT)))) for k in keys), strict=True)
    )
    error = float(np.square(drawn - images).mean())
    return {"rms": round(error**0.5, 4), "explained": round(1 - error / float(images.var(axis=0).mean()), 4)}


def save_shapes(folder: Path, params: Any, Q: np.ndarray, figures: dict[str, Any]) -> None:
    """Write the folder that ``geomgan.load`` opens, with the ground truth in its card.

    The folder, placed in ``geomgan/models/embedded``, is the embedded model.
    """
    truth = [*FACTORS, *NUISANCES]
    card = {
        "family": "dcgan-tutorial",
        "summary": "a pin of known position, size, hue and rotation: ground truth for directions",
        "config": {"latent_dim": LATENT, "features": list(FEATURES), "channels": 3, "resolution": SIDE},
        "output_range": [-1, 1],
        "prior": "z ~ N(0, I)",
        "licence": "Apache-2.0",
        "source": "geomgan.training.shapes on images of geomgan.training.shapes_renderer",
        "note": NOTE,
        "factors": {
            "names": [factor.name for factor in FACTORS],
            "nuisances": [factor.name for factor in NUISANCES],
            "ranges": {factor.name: [factor.low, factor.high, factor.unit] for factor in truth},
            "directions": Q[:, : len(truth)].T.round(12).tolist(),
        },
        "figures": figures,
    }
    write_measured(folder, card, {"generator": jax.tree.map(np.asarray, params)})


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, evaluate and save."""
    options = _parser().parse_args(arguments)
    key, out = jax.random.key(options.seed), Path(options.out)
    settings = ShapesOptions(options.steps, options.batch, options.learning_rate)
    Q = rotation(jax.random.fold_in(key, 0))
    params, seconds = train_shapes(
        Q,
        jax.random.fold_in(key, 1),
        settings,
        checkpoint=out / "checkpoints" / "shapes.npz",
        every=options.checkpoint_every,
    )
    measured = evaluate(params, Q, jax.random.fold_in(key, 2), options.samples)
    figures = {**measured, "samples": options.samples, **settings._asdict(), "seconds": round(seconds, 1)}
    figures["seed"] = options.seed
    save_shapes(out / "shapes", params, Q, figures)
    print(json.dumps(figures, indent=2))


def _optimizer(options: ShapesOptions) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(options.learning_rate, options.steps))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m geomgan.training.shapes",
        description=(__doc__ or "").split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--out", required=True, default=argparse.SUPPRESS, help="folder for the model and checkpoints")
    add("--seed", type=int, default=0, help="one seed, one result")
    add("--steps", type=int, default=DEFAULTS.steps, help="training steps")
    add("--batch", type=int, default=DEFAULTS.batch, help="codes a step")
    add("--learning-rate", type=float, default=DEFAULTS.learning_rate, help="of Adam, at first")
    add("--samples", type=int, default=2000, help="fresh codes that the error is measured on")
    add("--checkpoint-every", type=int, default=500, help="steps between checkpoints")
    return parser


if __name__ == "__main__":
    main()
