"""Samples along directions, from several codes, and how far the walks leave the prior."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import jax
import numpy as np
from tqdm import tqdm

from geomgan.brief import brief
from geomgan.directions.direction import Direction, Moves
from geomgan.distances.basic import euclidean
from geomgan.distances.distance import Distance
from geomgan.errors import OptionError, as_array, check_choice, check_codes, check_finite
from geomgan.generators import Generator
from geomgan.paths import Path
from geomgan.paths.measure import block_size, measure
from geomgan.paths.spacing import FINE, equal_distance_steps
from geomgan.paths.walks import codes_of, walk

PRIOR = 1024  # codes of jax.random.key(0) that say where the prior is
SPACINGS = ("code", "distance")
BLOCKS = 8  # of samples that are held at once, where little is kept of each


@brief
@dataclass(frozen=True)
class Traversal:
    """Walks along ``n`` directions from ``m`` codes, ``T`` samples each.

    Attributes:
        steps: ``(m, n, T)``, the ``t`` of each sample: steps of the direction, radians on great circles.
        codes: ``(m, n, T, d)``.
        samples: ``(m, n, T, ...)``, or what was kept of each.
        sigmas: ``(m, n, T)``, where each code lies in the prior: its coordinate along its walk, less the prior's mean,
            in standard deviations of the prior there; NaN where the prior has none.
        names: of the directions.
        spacing: ``"code"``, steps as given, or ``"distance"``, as far apart in distance from the sample at ``t = 0``.
        distances: ``(m, T)``, that distance at each step, signed; None for ``"code"``.
        measure: name of the distance; empty for ``"code"``.
        kind: of the paths, ``"linear"`` or ``"spherical"``.
    """

    steps: np.ndarray
    codes: np.ndarray
    samples: np.ndarray
    sigmas: np.ndarray
    names: tuple[str, ...]
    spacing: str = "code"
    distances: np.ndarray | None = None
    measure: str = ""
    kind: str = "linear"


def traverse(
    G: Generator,
    directions: Moves | Iterable[Moves],
    codes: Any,
    steps: Any,
    *,
    D: Distance | None = None,
    spacing: str = "code",
    kind: str = "linear",
    centred: bool = False,
    keep: Callable[[np.ndarray], Any] | None = None,
    batch: int | None = None,
    progress: bool = False,
) -> Traversal:
    """Walk from codes along directions.

    Args:
        G: the generator.
        directions: one, several, or a ``DirectionSet``.
        codes: ``(m, d)``, or one ``(d,)``.
        steps: ``t (T,)``, such as ``3 * schedule("smooth", 60)``.
        D: the squared distance of ``spacing="distance"``.
        spacing: ``"code"``: ``steps`` are ``t``. ``"distance"``: a step stands for its share of the distance that all
            walks from its code reach on both sides within ``|t| <= max |steps|``. Equal steps are then equally far
            apart in distance from the sample at ``t = 0``, and all walks from a code go equally far.
        kind: ``"linear"``, or ``"spherical"``: ``t`` is an angle in radians.
        centred: start all walks along a direction at the same coordinate, that of the direction's origin.
        keep: what is kept of each sample; by default all of it.
        batch: samples computed together; by default what suits the device.
        progress: show a progress bar, with the time left.

    Raises:
        TypeError, ValueError: arguments do not fit, or a walk does not move the sample where distances are to be equal.
    """
    codes = as_array(codes, "codes")
    codes = np.asarray(check_codes(codes[None] if np.ndim(codes) == 1 else codes, G.latent_dim))
    several = not hasattr(directions, "path")
    moves: list[Moves] = list(cast(Iterable[Moves], directions)) if several else [cast(Moves, directions)]
    check_choice(spacing, SPACINGS, "spacing")
    steps = np.asarray(steps, np.float64)
    if steps.ndim != 1 or not steps.size:
        raise ValueError(f"steps have shape {steps.shape}; expected (T,): the same for all walks.")
    check_finite(steps, "steps")
    if not moves:
        raise ValueError("there is no direction; expected one or more.")
    paths = [path_of(move, z, kind, centred) for z in codes for move in moves]
    shape = (len(codes), len(moves), len(steps))
    t, distances = np.broadcast_to(steps, (len(paths), len(steps))), None
    if spacing == "distance":
        t, distances = _in_distance(G, D, paths, steps, len(codes), batch, progress)
    reach = float(np.abs(t).max()) or 1.0
    ends = codes_of(G, paths, np.tile([-reach, reach], (len(paths), 1)))
    walked = codes_of(G, paths, t).astype(G.dtype).reshape(*shape, G.latent_dim)
    names = tuple(str(move.name) for move in moves)
    found = traversal_of(
        G, walked, t.reshape(shape), ends[:, 1] - ends[:, 0], names,
        kind=kind, keep=keep, batch=batch, progress=progress,
    )  # fmt: skip
    if spacing == "code":
        return found
    return replace(found, spacing=spacing, distances=distances, measure="" if D is None else D.name)


def traversal_of(
    G: Generator,
    codes: np.ndarray,
    steps: np.ndarray,
    chords: np.ndarray,
    names: tuple[str, ...],
    *,
    kind: str = "linear",
    keep: Callable[[np.ndarray], Any] | None = None,
    batch: int | None = None,
    progress: bool = False,
) -> Traversal:
    """Samples of walks whose codes ``(m, n, T, d)``, ``steps (m, n, T)`` and chords ``(m n, d)`` are known."""
    m, n, T, d = codes.shape
    samples = _samples(G, codes.reshape(m * n, T, d), keep, batch, progress)
    sigmas = prior_sigmas(G, codes.reshape(m * n, T, d), chords).reshape(m, n, T)
    return Traversal(steps, codes, samples.reshape(m, n, T, *samples.shape[2:]), sigmas, names, kind=kind)


def path_of(move: Moves, z: Any, kind: str = "linear", centred: bool = False) -> Path:
    """The path of a direction through a code; of one that is bent, as it says itself."""
    if isinstance(move, Direction):
        return move.path(z, kind, centred=centred)
    if kind != "linear" or centred:
        raise OptionError(f"{move.name} ({move.method}) has a path of its own; leave kind= and centred= out.")
    return move.path(z)


def prior_sigmas(G: Generator, codes: np.ndarray, chords: np.ndarray) -> np.ndarray:
    """Where codes ``(p, T, d)`` of paths lie in the prior, ``(p, T)``: signed standard deviations along each path.

    The coordinate is along the path's chord, ``chords (p, d)``, that is along its direction where it is straight. Its
    mean and deviation in the prior are of :data:`PRIOR` codes; NaN where all of these have the same.
    """
    chord = np.asarray(chords, np.float64)
    prior = np.asarray(G.sample_latent(jax.random.key(0), PRIOR), np.float64) @ chord.T  # (PRIOR, p)
    along = np.einsum("ptd,pd->pt", codes, chord)
    spread = prior.std(axis=0)[:, None]
    away = along - prior.mean(axis=0)[:, None]
    return np.divide(away, spread, out=np.full_like(away, np.nan), where=spread > 0)


def _in_distance(
    G: Generator,
    D: Distance | None,
    paths: list[Path],
    steps: np.ndarray,
    codes: int,
    batch: int | None,
    progress: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """The ``t (p, T)`` at which walks have gone their share of the distance that all of a code reach; it ``(m, T)``."""
    reach = float(np.abs(steps).max())
    if D is None:
        raise OptionError("spacing='distance' needs D=, a squared distance such as geomgan.distances.lpips('alex').")
    if not reach:
        raise ValueError("all steps are 0; expected some to walk, for spacing='distance'.")
    places, each = np.linspace(-reach, reach, 2 * FINE + 1), len(paths) // codes
    fine = walk(G, D, paths, places, keep=False, batch=batch, progress=progress)
    t, distances = [], []
    for i in range(0, len(paths), each):
        of_code = replace(fine, steps=fine.steps[i : i + each], distances=fine.distances[i : i + each])
        equal, gap = equal_distance_steps(of_code, FINE)
        t += [np.interp(steps, places, row) for row in equal]
        distances.append(steps / reach * gap * FINE)
    return np.stack(t), np.stack(distances)


def _samples(
    G: Generator, codes: np.ndarray, keep: Callable[[np.ndarray], Any] | None, batch: int | None, progress: bool
) -> np.ndarray:
    """Samples of codes ``(p, T, d)``, or what is kept of each, some walks after others."""
    T, still = codes.shape[1], euclidean()
    together = max(1, BLOCKS * block_size(G, batch) // T)  # walks: full blocks, and not all samples at once
    with tqdm(total=len(codes), desc="samples along directions", unit="walk", disable=not progress) as bar:
        kept = []
        for first in range(0, len(codes), together):
            walked = codes[first : first + together]
            rows = walked.reshape(1, -1, codes.shape[2])
            samples = measure(G, still, rows[:, 0], rows, keep=True, batch=batch).samples[0]
            samples = samples if keep is None else np.stack([np.asarray(keep(sample)) for sample in samples])
            kept.append(samples.reshape(-1, T, *samples.shape[1:]))
            bar.update(len(walked))
    return np.concatenate(kept)
