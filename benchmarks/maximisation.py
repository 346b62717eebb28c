"""Activation maximisation: searches with and without the metric, on the same units, starts and budget.

python -m benchmarks.maximisation [--units 20] [--tuning 3] [--seeds 5] [--passes 300] [--model digits-dcgan faces64]

Units are channels of the digit classifier (digits-dcgan) and of LPIPS's AlexNet (faces64), the centre of their maps.
Each method has its step size chosen on the tuning units, then meets the others: the score is the activation of the best
code of a start, less `penalty` times the mean square of its code, in standard deviations of the unit over random codes.
A gradient counts three forward passes. What is printed is the mean over units of the median over seeds, with a 95 %
bootstrap interval over units, and the same of the paired difference from the Cholesky CMA-ES. On digits-dcgan a unit
of a method takes 0.3 processor seconds at --passes 200 --seeds 3, so the defaults take about four minutes there, with a
minute of compilation; faces64 takes several times as long.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg
from benchmarks.random_models import faces64
from geomgan.distances.distance import embed_tree
from geomgan.optimize import AskTell, adam, cholesky_cma, cma, hess_cma, pure_search
from geomgan.optimize.downhill import Activation, advance, begin, end, values
from geomgan.optimize.prior import prior_of

LAYERS = {"digits-dcgan": ("digits", "dense1"), "faces64": ("alex", "relu3")}
PENALTY = 0.3  # in standard deviations of a unit


def generator(model: str) -> gg.Generator:
    """A generator by name; faces64 with the published weights where they are beside the repository."""
    return faces64()[0] if model == "faces64" else gg.load(model)


Run = Callable[[int, float], np.ndarray]  # of the number of a unit and a step size


class Task(NamedTuple):
    """Units of a network as one objective, whose number is an argument."""

    loss: Activation
    starts: np.ndarray
    units: np.ndarray
    scale: np.ndarray


def unit_activation(params: Any, sample: jax.Array) -> jax.Array:
    """The activation of channel ``index`` at the centre of the layer's map, in its standard deviations."""
    features, index, centre, spread = params
    (values,) = jax.tree.leaves(embed_tree(features, sample))
    for side in values.shape[:-1]:
        values = values[side // 2]
    return (values[index] - centre) / spread


def task_of(model: str, wanted: int, seeds: int) -> Task:
    """The units that vary most over random codes, every second of them, and starts from the prior."""
    G = generator(model)
    net, layer = LAYERS[model]
    features = gg.distances.classifier_features(net, layer, input_range=G.output_range)
    codes = G.sample_latent(jax.random.key(0), 256)

    @jax.jit
    def centres(features: Any, G: Any, z: jax.Array) -> jax.Array:
        (values,) = jax.tree.leaves(embed_tree(features, G(z)))
        for side in values.shape[:-1]:
            values = values[side // 2]
        return values

    found = np.concatenate(
        [np.asarray(jax.vmap(partial(centres, features, G))(codes[i : i + 32])) for i in range(0, 256, 32)]
    )
    deviation = found.std(axis=0)
    alive = np.flatnonzero((found > 0).mean(axis=0) > 0.1)
    units = alive[np.argsort(-deviation[alive])][: 2 * wanted]
    units = np.random.default_rng(0).permutation(units)[:wanted]
    scale = np.stack([found.mean(axis=0), deviation], axis=1)[units].astype(np.float32)
    prior = prior_of(G, jax.random.key(0))
    loss = Activation(G, (features, 0, 0.0, 1.0), prior, jnp.asarray(PENALTY, jnp.float32), unit_activation)
    starts = np.asarray(G.sample_latent(jax.random.key(7), seeds))
    return Task(loss, starts, units, scale)


def mean_metric(model: str, codes: int = 12) -> Any:
    """Eigenpairs of the mean metric tensor of some codes under LPIPS, as Hess-CMA's authors take it."""
    G = generator(model)
    D = gg.distances.lpips("alex", resize=64 if model == "digits-dcgan" else None)
    field = gg.metric_field(G, D, G.sample_latent(jax.random.key(1), codes), progress=False)
    return gg.eigenpairs(np.mean(field.tensors, axis=0))


def by_scores(task: Task, method: AskTell, passes: int) -> Run:
    """Scores of all seeds of one unit, in one program for all units and step sizes."""
    assert method.population is not None
    generations = passes // method.population

    def one(loss: Activation, params: Any, start: jax.Array, key: jax.Array, size: jax.Array) -> jax.Array:
        score = lambda params, z: replace(loss, params=params).value(z)
        options = {"generations": generations, "tol": 0, "dtype": loss.G.dtype}
        return -pure_search(score, params, sized(method, size), start, key, **options)[1].score

    program = jax.jit(jax.vmap(one, (None, None, 0, 0, None)))
    keys = jax.random.split(jax.random.key(3), len(task.starts))

    def run(i: int, size: float) -> np.ndarray:
        with jax.enable_x64(True):
            arguments = (task.loss, params_of(task, i), jnp.asarray(task.starts), keys, jnp.asarray(size))
            return np.asarray(program(*arguments))

    return run


def sized(method: AskTell, size: jax.Array) -> AskTell:
    """The method with another first standard deviation, which may be traced."""

    def init(mean: jax.Array, key: jax.Array) -> Any:
        state = method.init(mean, key)
        if hasattr(state, "inner"):
            return state._replace(inner=state.inner._replace(sigma=size))
        return state._replace(sigma=size)

    return method._replace(init=init)


def by_gradients(task: Task, method: Any, passes: int) -> Run:
    """The same for a local method; each step is a program of all seeds."""

    def run(i: int, size: float) -> np.ndarray:
        sized = replace(method, rate=jnp.asarray(size, jnp.float32))
        loss = replace(task.loss, params=params_of(task, i))
        state = begin(sized, loss, jnp.asarray(task.starts))
        for step in range((passes - 1) // 3):
            state = advance(sized, loss, state, step)
        return -np.asarray(end(loss, state).best_value)

    return run


def params_of(task: Task, i: int) -> Any:
    """The objective of the ``i``-th unit."""
    features = task.loss.params[0]
    index, (centre, spread) = jnp.asarray(task.units[i], jnp.int32), task.scale[i]
    return (features, index, jnp.asarray(centre), jnp.asarray(spread))


def methods(pairs: Any, dim: int) -> dict[str, tuple[Any, tuple[float, ...]]]:
    """Each method, and the step sizes that it is tuned over."""
    relative = (np.maximum(np.asarray(pairs.values), 0) / pairs.values[0], np.asarray(pairs.vectors))
    hess = partial(hess_cma, relative, 1.0, exponent=0.25, floor=1e-3)
    sigmas, steps, rates = (0.2, 0.4, 0.8, 1.6), (0.1, 0.2, 0.4, 0.8), (0.05, 0.1, 0.2, 0.4)
    return {
        "Cholesky CMA-ES": (cholesky_cma(dim, 1.0), sigmas),
        "CMA-ES": (cma(dim, 1.0), sigmas),
        "Hess-CMA, adapting": (hess(), steps),
        "Hess-CMA, frozen": (hess(adapt="frozen"), steps),
        "Hess-CMA, first 20": (hess(20), steps),
        "Adam": (adam(), rates),
        "eigenbasis Adam": (adam(metric=relative), rates),
        "eigenbasis Adam, half white": (adam(metric=relative, scale=0.5), rates),
    }


def interval(x: np.ndarray, draws: int = 4000) -> str:
    """Mean with a 95 % bootstrap interval over units."""
    means = x[np.random.default_rng(0).integers(len(x), size=(draws, len(x)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{x.mean():.2f} ({low:.2f} to {high:.2f})"


def compare(model: str, tuning: int, units: int, seeds: int, passes: int) -> None:
    """One table."""
    task = task_of(model, tuning + units, seeds)
    dim = task.loss.dim
    numbers = range(tuning, tuning + units)
    codes = jnp.asarray(task.starts)
    start = -np.stack([np.asarray(values(replace(task.loss, params=params_of(task, i)), codes)) for i in numbers])
    net, layer = LAYERS[model]
    print(f"\n{model} (d = {dim}), {units} units of {net} {layer}, {seeds} starts each, {passes} forward passes")
    print(f"at the starts: {interval(np.median(start, axis=1))}")
    print(
        "| method | step size | score | difference from the first | better on | s per unit |\n|---|---|---|---|---|---|"
    )
    first = None
    for name, (method, sizes) in methods(mean_metric(model), dim).items():
        run = (by_gradients if "Adam" in name else by_scores)(task, method, passes)
        tuned = {size: np.mean([np.median(run(i, size)) for i in range(tuning)]) for size in sizes}
        size = max(tuned, key=lambda s: tuned[s])
        started = time.process_time()
        scores = np.stack([run(i, size) for i in numbers])
        seconds = (time.process_time() - started) / units
        middle = np.median(scores, axis=1)
        first = middle if first is None else first
        difference = "" if middle is first else interval(middle - first)
        better = "" if middle is first else f"{int((middle > first).sum())} of {units}"
        print(f"| {name} | {size:g} | {interval(middle)} | {difference} | {better} | {seconds:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--units", type=int, default=20)
    parser.add_argument("--tuning", type=int, default=3, help="units on which step sizes are chosen")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=300, help="forward passes for each start")
    parser.add_argument("--model", nargs="+", default=list(LAYERS), choices=LAYERS)
    options = parser.parse_args()
    for model in options.model:
        compare(model, options.tuning, options.units, options.seeds, options.passes)


if __name__ == "__main__":
    main()
