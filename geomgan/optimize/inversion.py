"""Inversion: the codes whose samples are nearest to targets."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import NotFiniteError, check_count, check_key, check_not_traced, warn
from geomgan.generators.generator import Generator, sample_of
from geomgan.generators.program_hash import constant_hash, joined_hash, program_hash
from geomgan.optimize.local import Method
from geomgan.optimize.loss import Loss, losses, over
from geomgan.optimize.methods import DEFAULT, named_method
from geomgan.optimize.prior import prior_of
from geomgan.optimize.registration import Similarity, onto_target
from geomgan.optimize.room import plan_runs
from geomgan.optimize.starts import Starts, check_start, starts
from geomgan.optimize.trials import FAILED, Found, Stop, descend_all
from geomgan.paths.measure import block_size
from geomgan.runs.journal import parts_in


@brief
@dataclass(frozen=True)
class Inversion:
    """Codes found for ``B`` targets, by ``R`` runs each.

    Attributes:
        codes: ``(B, R, d)``.
        samples: ``(B, R, ...)``, of these codes, never clamped.
        aligned: the same as they lie on their targets; without a registration the same array.
        targets: ``(B, ...)``.
        losses: ``(B, R)``, what was minimised.
        measures: name -> ``(B, R)``: each squared distance that the loss is made of, those that were asked for beside,
            and ``"mse"``, the mean squared difference. With a registration or masks, of what was compared.
        prior_distance: ``(B, R)``, ``√(mean(((z - μ)/σ)²))`` of the code, with mean and deviation of the prior: about
            1 for codes of the prior.
        passes: ``(B, R)``, forward passes spent: a loss 1, its gradient 2 more, a Jacobian-vector product 1, a
            vector-Jacobian product 2; with each run's share of a pool.
        status: ``(B, R)``, why each run ended: ``"converged"``, ``"step limit"``, or ``"not finite"``.
        history: ``(B, R, steps)``, the best loss after each step; NaN behind a run's end.
        best: ``(B,)``, which run has the least loss.
        starts: ``(B, R, d)``, where they began.
        transforms: of a registration, with arrays ``(B, R)``; None without.
        seconds: that the runs took, compilation included, those before an interruption too.
        method: its name.
        output_range: of the samples.
    """

    codes: np.ndarray
    samples: np.ndarray
    aligned: np.ndarray
    targets: np.ndarray
    losses: np.ndarray
    measures: dict[str, np.ndarray]
    prior_distance: np.ndarray
    passes: np.ndarray
    status: np.ndarray
    history: np.ndarray
    best: np.ndarray
    starts: np.ndarray
    transforms: Similarity | None
    seconds: float
    method: str
    output_range: tuple[float, float] | None

    def of_best(self, values: Any) -> np.ndarray:
        """Of ``values (B, R, ...)`` those of the best run of each target, ``(B, ...)``."""
        return np.asarray(values)[np.arange(len(self.best)), self.best]

    @property
    def best_codes(self) -> np.ndarray:
        """``(B, d)``."""
        return self.of_best(self.codes)

    @property
    def best_samples(self) -> np.ndarray:
        """``(B, ...)``."""
        return self.of_best(self.samples)

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {np.median(self.of_best(x)):.3g}" for name, x in self.measures.items())
        B, R = self.losses.shape
        lost = int((self.status == FAILED).sum())
        what = f"{B} target{'s' * (B != 1)}, {R} run{'s' * (R != 1)} each by {self.method}"
        return (
            f"{what}: of the best run, median {shown}; prior distance "
            f"{np.median(self.of_best(self.prior_distance)):.2f}; {int(self.passes.sum()):,} forward passes in "
            f"{self.seconds:.1f} s{f'; {lost} runs were not finite' if lost else ''}."
        )


def invert(
    G: Generator,
    targets: Any,
    D: Distance | Sequence[tuple[float, Distance]],
    *,
    key: jax.Array,
    method: str | Method = DEFAULT,
    restarts: int = 4,
    steps: int | None = None,
    start: Any = "prior",
    pool: Any = 256,
    penalty: float = 0.0,
    masks: Any = None,
    registration: str | None = None,
    measures: Sequence[Distance] = (),
    patience: int | None = None,
    tolerance: float = 1e-3,
    memory: int | str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Inversion:
    """Find the codes of targets: ``argmin_z Σ_i w_i d²_i(G(z), t)``, by ``restarts`` runs for each target.

    All runs take their steps together, in one compiled program. In whatever space the generator's codes are, ``z``,
    ``w``, ``w+`` or ``s``, these are what is found: ``gg.load(..., space="w+")``.

    ::

        found = gg.optimize.invert(G, x, gg.distances.lpips("alex"), key=jax.random.key(0))
        found.best_codes, found.of_best(found.measures["lpips-alex"])

    Args:
        G: the generator.
        targets: ``(B, ...)``, samples as the generator makes them; of image files :func:`read_images` makes them.
        D: the squared distance, or several with their weights, ``[(1.0, lpips), (0.1, mse)]``.
        key: of everything random, a ``jax.random.key``.
        method: a name of ``geomgan.optimize.METHODS``, or a local method such as ``adam(0.05, schedule=...)``.
        restarts: ``R``, runs for each target.
        steps: at most; by default what suits the named method, else 200.
        start: ``"prior"`` draws the starts, ``"nearest"`` takes the ``R`` codes of a pool whose samples have the least
            loss, or codes ``(R, d)`` for every target, or ``(B, R, d)``.
        pool: for ``"nearest"``: how many codes to draw from the prior, or codes ``(n, d)``.
        penalty: weight of the mean squared distance of the code from the prior's mean, in its deviations.
        masks: which pixels count; see :func:`losses`.
        registration: move ``"sample"`` or ``"target"`` onto the other by a similarity transform that is found too.
        measures: distances that the result shall carry beside those of the loss.
        patience: steps without progress after which a run ends; by default what suits the named method, else never.
        tolerance: the least progress of the loss in that time, relative.
        memory: what the device may use; see :func:`geomgan.metric_field`. Runs that do not fit together go in groups,
            of which a warning tells before.
        out: a folder that keeps what was done: the same call goes on where it was interrupted, and ends with the
            same numbers.
        progress: show progress bars, with the time left.

    Raises:
        TypeError, ValueError: an argument does not fit; raised before any work.
        OutOfMemory: not even one run fits.
        NotFiniteError: no run had a finite loss. ValueError: the loss is constant.
        StoreError: the folder belongs to another call, or cannot be written.
    """
    check_key(key)
    check_not_traced("geomgan.optimize.invert", "Call it outside", G, targets, key)
    name, method, steps, patience = named_method(method, steps, patience)
    restarts, steps = check_count(restarts, np.inf, "restarts"), check_count(steps, np.inf, "steps")
    if patience is not None:
        check_count(patience, np.inf, "patience", ", a number of steps")
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance!r}; expected 0 to 1, a share of the loss.")
    drawn, moments = jax.random.split(key)
    options: dict[str, Any] = {"penalty": penalty, "masks": masks, "registration": registration}
    loss = losses(G, D, targets, prior=prior_of(G, moments), **options)
    if registration and getattr(method, "metric", None) is not None:
        raise ValueError("a given metric knows nothing of a registration's unknowns; expected metric='own' with it.")
    beside = losses(G, [(1.0, d) for d in measures], targets, **options) if measures else None
    B = len(loss.target.sample)
    given = check_start(start, pool, B, restarts, G.latent_dim)
    stop, runs = Stop(steps, patience, tolerance), B * restarts
    plan = plan_runs(method, loss, runs, memory)
    if plan.groups > 1:
        warn(str(plan))
    said = {"method": name, "restarts": restarts, "steps": steps, "patience": patience, "tolerance": tolerance}
    said |= {"start": start if given is None else "given", "groups": plan.groups}
    others = (given, pool, jax.random.key_data(key), beside)
    settings = {} if out is None else _settings(loss, method, others, said)

    with parts_in(out, settings) as (part, folder):
        wanted = pool if given is None and start == "nearest" else None
        begun = part("starts", Starts, lambda: starts(loss, given, wanted, restarts, drawn, progress))
        flat, of_target = begun.codes.reshape(runs, -1), np.repeat(np.arange(B), restarts)
        groups = []
        for i, rows in enumerate(plan.rows()):
            label = "invert" if plan.groups == 1 else f"invert, group {i + 1} of {plan.groups}"
            how: dict[str, Any] = {"passes": begun.passes, "label": label, "progress": progress}
            file = folder / f"group-{i}.state.npz" if folder else None
            how |= {"checkpoint": file, "settings": settings}
            compute = partial(descend_all, method, loss[of_target[rows]], flat[rows], stop, **how)
            groups.append(part(f"group-{i}", Found, compute))
            if file:
                file.unlink(missing_ok=True)
    column = lambda name: np.concatenate([getattr(group, name) for group in groups])[:runs]
    return _result(loss, beside, begun, column, restarts, sum(group.seconds for group in groups), name)


def _result(
    loss: Loss,
    beside: Loss | None,
    begun: Starts,
    column: Callable[[str], np.ndarray],
    restarts: int,
    seconds: float,
    name: str,
) -> Inversion:
    """The result of what all runs ended with."""
    G, unknowns, losses_found = loss.shared.G, column("unknowns"), column("losses")
    B = len(unknowns) // restarts
    if not np.isfinite(losses_found).any():
        raise NotFiniteError(
            f"no run of {len(unknowns)} had a finite loss; expected numbers. geomgan.distances.check(D, x, y) tells "
            "what the distance cannot take; try other starts, or a smaller rate."
        )
    of_target = np.repeat(np.arange(B), restarts)
    samples, terms = measured(loss[of_target], unknowns)
    transforms = loss.transform(unknowns)
    aligned = samples if transforms is None else np.asarray(jax.vmap(onto_target)(jnp.asarray(samples), transforms)[0])
    more = measured(beside[of_target], unknowns)[1][:, :-1] if beside else np.zeros((len(unknowns), 0))
    others = beside.shared.distances if beside else ()
    names = [*(D.name for D in loss.shared.distances), "mse", *(D.name for D in others)]
    per_run = lambda values: np.asarray(values).reshape(B, restarts, *np.shape(values)[1:])
    by_name = {name: per_run(values) for name, values in zip(names, np.hstack([terms, more]).T, strict=True)}
    codes = loss.code(unknowns)
    ranked = np.where(np.isfinite(losses_found), losses_found, np.inf)
    return Inversion(
        codes=per_run(codes),
        samples=per_run(samples),
        aligned=per_run(aligned),
        targets=np.asarray(loss.target.sample),
        losses=per_run(losses_found),
        measures=by_name,
        prior_distance=per_run(loss.shared.prior.distance(jnp.asarray(codes))),
        passes=per_run(column("passes")),
        status=per_run(column("status")),
        history=per_run(column("history")),
        best=per_run(ranked).argmin(axis=1),
        starts=loss.code(begun.codes),
        transforms=loss.transform(per_run(unknowns)),
        seconds=float(seconds),
        method=name,
        output_range=G.output_range,
    )


def measured(loss: Loss, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples ``(n, ...)`` and the terms of the loss ``(n, terms)``, some codes at a time."""
    samples, terms, size = [], [], block_size(loss.shared.G)
    for i in range(0, len(unknowns), size):
        rows = np.minimum(np.arange(i, i + size), len(unknowns) - 1)
        x, t = _ends(loss[rows], unknowns[rows])
        samples.append(np.asarray(x))
        terms.append(np.asarray(t))
    return np.concatenate(samples)[: len(unknowns)], np.concatenate(terms)[: len(unknowns)]


@jax.jit
def _ends(loss: Loss, unknowns: jax.Array) -> tuple[jax.Array, jax.Array]:
    def one(loss: Loss, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = sample_of(loss.shared.G, loss.code(z))
        return x, jnp.stack(loss.terms(x, z))

    with jax.default_matmul_precision("highest"):
        return jax.vmap(one, (over(loss), 0))(loss, jnp.asarray(unknowns))


def _settings(loss: Loss, method: Method, others: Sequence[Any], said: dict[str, Any]) -> dict[str, Any]:
    """What decides the results: the program of a step, all numbers that go into it, and the choices."""
    first = jax.ShapeDtypeStruct((loss.dim,), loss.dtype)

    def steps(method: Method, stack: Loss, z: jax.Array) -> Any:
        return method.step(stack[0], method.init(stack[0], z))

    numbers = [np.asarray(leaf) for leaf in jax.tree.leaves((loss, method, others))]
    return {
        "generator": loss.shared.G.name,
        "distances": [D.name for D in loss.shared.distances],
        "program": program_hash(steps, method, loss, first),
        "numbers": joined_hash([constant_hash(x) for x in numbers]),
        **said,
    }
