"""One step of each discovery of directions beside its transcription in torch, at equal settings on the same weights.

    python -m benchmarks.discovery [CASE ...] [--repeats 3] [--threads 2]

Both must give the same loss and gradient before they are timed. Calls alternate in one process, after one that
compiles; times are the processor's, medians: other programs beside this one do not count.

hessian-penalty: BigGAN of 128 pixels with random weights, 4 codes, 120 orthonormal directions. The torch version has
spectral norms folded into its kernels and QR in place of the published loop over pairs of rows; the published form of
that alone is the row below it.

latent-deformator: the published setting of MNIST, SNGAN with random weights, LeNet, 128 pairs of samples, a rotation of
128 dimensions, and the updates of both Adams. As published the generator's weights keep their gradients in torch.

warps: the published setting of MNIST of WarpedGANSpace, the same but for 64 paths of 128 dipoles with widths that
learn, magnitudes of 0.15 to 0.25, and supports that torch chooses by products with one-hot rows, as published.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import torch

from benchmarks import random_models, torch_deformators, torch_directions
from benchmarks.agreement import agree, error
from geomgan.directions import JointOptions, initial_deformator, initial_predictor, initial_warps, penalty_discovery
from geomgan.directions.joint_training import draw_pairs, initial_state, joint_step
from geomgan.generators.frozen import freeze

Call = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """A step by us and by others.

    Attributes:
        ours: the step, compiled at the first call.
        others: name -> the same step.
        same: raises ``SystemExit`` where results are not the same, up to rounding.
    """

    ours: Call
    others: dict[str, Call]
    same: Callable[[], None]


def hessian_penalty(batch: int = 4) -> Case:
    """Penalty and gradient of one step; Adam's update of 14,400 numbers is not counted on either side."""
    G, rng = random_models.biggan(), np.random.default_rng(0)
    n, options = G.latent_dim, penalty_discovery.PenaltyOptions(batch=batch)
    A, z = (rng.standard_normal(shape).astype(np.float32) for shape in ((n, n), (batch, n)))
    w = np.zeros((batch, n), np.float32)
    w[np.arange(batch), rng.integers(0, n, batch)] = rng.uniform(-5, 5, batch)
    signs = rng.choice([-1, 1], (batch, 2, n)).astype(np.float32)
    fast = penalty_discovery.prepared(G)

    def ours() -> Any:
        (loss, _), gradient = penalty_discovery.penalty_gradient(A, fast, (z, w, signs, None), options)
        return float(loss), np.asarray(gradient)

    images = torch_directions.biggan(G.params["network"], G.params["context"]["embedding"])
    given = tuple(torch.from_numpy(x) for x in (A, z, w, signs.swapaxes(0, 1).copy()))

    def theirs(qr: bool) -> Any:
        loss, gradient = torch_directions.penalty_step(images, *given, qr=qr)
        return loss, gradient.numpy()

    def same() -> None:
        a, b = ours(), theirs(True)
        agree("penalty", error(np.array(a[0]), np.array(b[0])), 1e-3)
        agree("gradient", error(a[1], b[1]), 1e-2)

    return Case(ours, {"torch": lambda: theirs(True), "torch, loop over rows": lambda: theirs(False)}, same)


def latent_deformator(batch: int = 128) -> Case:
    """A whole step of both Adams in the published setting of MNIST: SNGAN, a rotation of 128 dimensions, LeNet."""
    G = random_models.sngan()
    paths = initial_deformator(jax.random.key(0), "ortho", G.latent_dim)
    return _joint(
        G, paths, JointOptions(batch=batch), "log_half", lambda: torch_deformators.Rotation(paths.learnt["log_half"])
    )


def warps(batch: int = 128) -> Case:
    """The same of WarpedGANSpace: 64 paths of 128 dipoles."""
    G = random_models.sngan()
    paths = initial_warps(jax.random.key(0), G.latent_dim, 64, 128)
    options = JointOptions(batch=batch, law="balanced", least=0.15, most=0.25)
    return _joint(G, paths, options, "supports", lambda: torch_deformators.Warps({**paths.kept, **paths.learnt}))


def _joint(G: Any, paths: Any, options: JointOptions, moving: str, in_torch: Callable[[], torch.nn.Module]) -> Case:
    """A step of a joint training, whose weights ``moving`` are compared after it."""
    keys = jax.random.split(jax.random.key(1), 2)
    judge = initial_predictor(keys[0], "lenet", paths.paths, G.sample_shape.shape)
    fast, start = freeze(G, options.batch), initial_state(paths, judge, keys[1], options)
    pairs = draw_pairs(G, jax.random.fold_in(keys[1], 0), paths.paths, options)
    given = [torch.tensor(np.asarray(x)) for x in pairs._replace(indices=np.asarray(pairs.indices, np.int64))]

    def theirs(frozen: bool) -> torch_deformators.Training:
        networks = torch_deformators.sngan(G.params), torch_deformators.lenet(judge.learnt, paths.paths)
        return torch_deformators.Training(networks[0], in_torch(), networks[1], frozen=frozen)

    def ours() -> Any:
        state, scalars = joint_step(fast, start, options)
        return float(scalars["loss"]), np.asarray(state.paths.learnt[moving])

    def same() -> None:
        loss, after = ours()
        once = theirs(True)
        agree("loss", error(np.array(loss), np.array(once.step(*given))), 1e-4)
        before = np.asarray(paths.learnt[moving])
        moved = getattr(once.paths, moving).detach().numpy().reshape(before.shape) - before
        sure = np.abs(moved) > 0.5e-4  # Adam's first step is the rate times the sign of the gradient
        agree("update", float(np.mean(np.sign(moved[sure]) != np.sign((after - before)[sure]))), 0.01)

    published, frozen = theirs(False), theirs(True)
    others = {"torch, as published": lambda: published.step(*given), "torch, frozen": lambda: frozen.step(*given)}
    return Case(ours, others, same)


CASES = {"hessian-penalty": hessian_penalty, "latent-deformator": latent_deformator, "warps": warps}


def compared(name: str, case: Case, repeats: int) -> None:
    """Print a row for everyone: seconds of the processor, and our share of theirs."""
    calls = {"geomgan": case.ours, **case.others}
    seconds: dict[str, list[float]] = {who: [] for who in calls}
    for _ in range(repeats):
        for who, call in calls.items():
            start = time.process_time()
            call()
            seconds[who].append(time.process_time() - start)
    ours = statistics.median(seconds["geomgan"])
    for who, taken in seconds.items():
        middle = statistics.median(taken)
        share = "" if who == "geomgan" else f"{ours / middle:.2f}"
        print(f"| {name} | {who} | {middle:.2f} ({min(taken):.2f} to {max(taken):.2f}) | {share} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"jax {jax.__version__}, torch {torch.__version__}, {given.threads} threads")
    print("| step | by | processor seconds | ours / theirs |\n|---|---|---|---|")
    for name in given.cases or CASES:
        case = CASES[name]()
        case.same()
        compared(name, case, given.repeats)


if __name__ == "__main__":
    main()
